"""The page of an evaluation."""

from pathlib import Path
from typing import Any

from triplet_train.evaluation.comparison_text import in_words
from triplet_train.evaluation.text import coverage_lines, interval_line
from triplet_train.evaluation.threshold_text import ERROR_COLUMNS, error_rows, threshold_rows
from triplet_train.report import rows
from triplet_train.report.comparisons import comparison_plots
from triplet_train.report.confusion import confusion_plot
from triplet_train.report.contents import Contents
from triplet_train.report.curves import curve_plots
from triplet_train.report.distances import distance_plot
from triplet_train.report.maps import map_plots
from triplet_train.report.sheets import sheet_plots
from triplet_train.report.style import plot_style
from triplet_train.report.writing import Pictures, drawn, rendered, write_with_plots


def write_report(contents: Contents, file: Path) -> None:
    """Write the page to `file` and its plots to a folder beside it; see `write_with_plots`.

    Both are written after everything is drawn. The same contents give the same bytes.
    """
    pictures, map_remark = _pictures(contents)
    write_with_plots(file, pictures, _html(contents, file, pictures, map_remark))


def _pictures(contents: Contents) -> tuple[Pictures, str]:
    """The pictures of each section, and the remark of the maps."""
    evaluated, result = contents.evaluated, contents.evaluated.result
    pairs = result.distances.positive.sum() + result.distances.negative.sum()
    with plot_style():
        maps, remark = map_plots(evaluated)
        plots = {
            "comparisons": comparison_plots(evaluated.comparisons),
            "curves": curve_plots(contents.log or [], contents.best_metric),
            "distances": [distance_plot(result.distances, result.thresholds)] if pairs else [],
            "maps": maps,
            "sheets": [] if contents.images is None else sheet_plots(evaluated, contents.images),
            "confusion": (
                [confusion_plot(result, evaluated.class_names)] if result.confusions else []
            ),
        }
        return drawn(plots), remark


def _html(contents: Contents, file: Path, pictures: Pictures, map_remark: str) -> str:
    evaluated = contents.evaluated
    values: dict[str, Any] = {
        "contents": contents,
        "evaluated": evaluated,
        "map_remark": map_remark,
        "coverage": coverage_lines(evaluated),
        "headlines": rows.headline_rows(evaluated),
        "meaning_of_intervals": interval_line(evaluated.result),
        "metrics": rows.metric_rows(evaluated),
        "comparisons": [in_words(each) for each in evaluated.comparisons],
        "thresholds": threshold_rows(evaluated.result),
        "error_columns": ERROR_COLUMNS,
        "errors": error_rows(evaluated.threshold_errors),
        "worst": rows.worst_rows(evaluated),
        "confusions": rows.confusion_rows(evaluated),
        "all_confusions": len(evaluated.result.confusions),
        "class_columns": rows.class_columns(evaluated),
        "classes": rows.class_rows(evaluated),
        "all_classes": len(evaluated.result.classes),
        "environment": rows.environment_rows(contents.environment or {}),
    }
    about = evaluated.about
    return rendered("page.html.j2", file, contents.title, about, pictures, values)
