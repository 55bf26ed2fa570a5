"""Style of the plots: colours, fonts, names that fit, and PNG bytes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from io import BytesIO

import matplotlib.style
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#b0b0b0"  # distinct for colour-blind readers too
WIDTH = 4.5  # inches: 9 pt letters are still legible where a phone shrinks the plot to its screen
FONT = "DejaVu Sans"  # comes with matplotlib
_STYLE = {
    "font.family": FONT,
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.08,
    "figure.constrained_layout.w_pad": 0.08,
    "figure.dpi": 200,
    "text.parse_math": False,  # names of classes may have $, _ and ^
}


@dataclass(frozen=True)
class Plot:
    """A figure with its words.

    Attributes:
        name: of the PNG, without its suffix.
        alt: a description for readers who cannot see the plot.
        caption: advice on what to look for.
    """

    name: str
    figure: Figure
    alt: str
    caption: str


@contextmanager
def plot_style() -> Iterator[None]:
    """Context in which figures have the style of the page, for any matplotlibrc of the user."""
    with matplotlib.style.context(["default", _STYLE]):
        yield


def png(figure: Figure) -> bytes:
    """Draw the figure; the same figure gives the same bytes."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def name_of(label: int, class_names: dict[int, str]) -> str:
    """The name of a class, in one line and never empty."""
    return " ".join(class_names.get(label, "").split()) or f"class {label}"


def short_name(label: int, class_names: dict[int, str], most: int = 12) -> str:
    """Shorten a name for a plot to at most `most` letters, the start and the end.

    Returns the number of the class if the font of the plots lacks a letter of its name.
    """
    name = name_of(label, class_names)
    if any(ord(letter) not in _letters() for letter in name):
        return f"class {label}"
    if len(name) <= most:
        return name
    head = most // 2
    return f"{name[:head]}…{name[head + 1 - most :]}"


@cache
def _letters() -> frozenset[int]:
    return frozenset(get_font(findfont(FONT)).get_charmap())
