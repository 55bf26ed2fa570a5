"""The page: one self-contained HTML file, with its plots as PNG files beside it."""

from base64 import b64encode
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from triplet_train.evaluation.text import coverage_lines, threshold_rows
from triplet_train.files import remove, replacing
from triplet_train.report import rows
from triplet_train.report.confusion import confusion_plot
from triplet_train.report.contents import Contents
from triplet_train.report.curves import curve_plots
from triplet_train.report.distances import distance_plot
from triplet_train.report.maps import map_plots
from triplet_train.report.sheets import sheet_plots
from triplet_train.report.style import Plot, plot_style, png
from triplet_train.run.folder import plots_folder


class Picture(NamedTuple):
    """A plot, and the bytes of its PNG file."""

    plot: Plot
    png: bytes

    @property
    def uri(self) -> str:
        return "data:image/png;base64," + b64encode(self.png).decode()

    def pixels(self, per_inch: int) -> tuple[int, int]:
        """Width and height on the page, in CSS pixels."""
        width, height = self.plot.figure.get_size_inches()
        return round(per_inch * width), round(per_inch * height)


def write_report(contents: Contents, file: Path) -> None:
    """Write the page to `file` and its plots to a folder beside it; see `plots_folder`.

    Both are written after everything is drawn. The page is put in place first, which rules out
    plots without their page. The same contents give the same bytes.

    Args:
        file: in an existing folder; an existing page and its folder of plots are replaced.

    Raises:
        OSError: the files cannot be written.
    """
    pictures, map_remark = _pictures(contents)
    folder = plots_folder(file)
    with replacing(folder) as plots:
        plots.mkdir()
        for picture in (picture for section in pictures.values() for picture in section):
            (plots / f"{picture.plot.name}.png").write_bytes(picture.png)
        with replacing(file) as page:
            page.write_text(_html(contents, pictures, map_remark, folder.name), encoding="utf-8")
            if folder.is_dir():
                remove(folder)  # of the page that was there


def _pictures(contents: Contents) -> tuple[dict[str, list[Picture]], str]:
    """The pictures of each section, and the remark of the maps."""
    evaluated, result = contents.evaluated, contents.evaluated.result
    pairs = result.distances.positive.sum() + result.distances.negative.sum()
    with plot_style():
        maps, remark = map_plots(evaluated)
        plots = {
            "curves": curve_plots(contents.log or [], _best(contents)),
            "distances": [distance_plot(result.distances, result.thresholds)] if pairs else [],
            "maps": maps,
            "sheets": [] if contents.images is None else sheet_plots(evaluated, contents.images),
            "confusion": (
                [confusion_plot(result, evaluated.class_names)] if result.confusions else []
            ),
        }
        drawn = {
            name: [Picture(plot, png(plot.figure)) for plot in section]
            for name, section in plots.items()
        }
    return drawn, remark


def _best(contents: Contents) -> dict[str, str]:
    """The name of the metric that chose the best step, and its label."""
    labels = {metric.name: metric.label for metric in contents.evaluated.result.table}
    name = contents.best_metric
    return {name: labels.get(name, name)}


def _html(
    contents: Contents, pictures: dict[str, list[Picture]], map_remark: str, plots: str
) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    evaluated = contents.evaluated
    values: dict[str, Any] = {
        "contents": contents,
        "evaluated": evaluated,
        "pictures": pictures,
        "plots": plots,
        "map_remark": map_remark,
        "coverage": coverage_lines(evaluated),
        "headlines": rows.headline_rows(evaluated),
        "metrics": rows.metric_rows(evaluated),
        "thresholds": threshold_rows(evaluated.result),
        "worst": rows.worst_rows(evaluated),
        "confusions": rows.confusion_rows(evaluated),
        "all_confusions": len(evaluated.result.confusions),
        "class_columns": rows.class_columns(evaluated),
        "classes": rows.class_rows(evaluated),
        "all_classes": len(evaluated.result.classes),
        "environment": rows.environment_rows(contents.environment or {}),
    }
    page = environment.get_template("page.html.j2").render(values)
    return page.encode(errors="replace").decode()  # names of files need not be Unicode
