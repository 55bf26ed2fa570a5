"""Pages: self-contained HTML files, with their plots as PNG files beside them."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from triplet_train.files import remove, replacing
from triplet_train.report.style import Plot, png
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


Pictures = dict[str, list[Picture]]  # of each section


def drawn(plots: Mapping[str, Sequence[Plot]]) -> Pictures:
    """Draw the plots of each section."""
    return {
        name: [Picture(plot, png(plot.figure)) for plot in section]
        for name, section in plots.items()
    }


def write_with_plots(file: Path, pictures: Pictures, html: str) -> None:
    """Write a page to `file` and its plots to a folder beside it; see `plots_folder`.

    The page is put in place first, which rules out plots without their page.

    Args:
        file: in an existing folder; an existing page and its folder of plots are replaced.

    Raises:
        OSError: the files cannot be written.
    """
    folder = plots_folder(file)
    with replacing(folder) as plots:
        plots.mkdir()
        for picture in (picture for section in pictures.values() for picture in section):
            (plots / f"{picture.plot.name}.png").write_bytes(picture.png)
        with replacing(file) as page:
            page.write_text(html, encoding="utf-8")
            if folder.is_dir():
                remove(folder)  # of the page that was there


def rendered(
    template: str,
    file: Path,
    title: str,
    about: Mapping[str, str],
    pictures: Pictures,
    values: Mapping[str, Any],
) -> str:
    """Fill in a template that extends layout.html.j2.

    Args:
        file: of the page, beside which the plots lie.
        about: facts that are shown below the title.
        values: what the template needs besides.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(template).render(
        title=title, about=about, pictures=pictures, plots=plots_folder(file).name, **values
    )
    return page.encode(errors="replace").decode()  # names of files need not be Unicode
