"""Nearest-neighbour sheets: a query and the rows nearest to it, per line."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from triplet_train.report.contents import Contents
from triplet_train.report.style import BLUE, GREY, ORANGE, Plot, short_name

NEIGHBOURS = 5
WORST = 12
TYPICAL = 6
_COLUMN, _LINE, _GAP = 1.14, 1.56, 0.2  # in widths of an image; the gap parts the query
_NAME, _MARK = 1.2, 1.39  # baselines below the upper edge
_INCHES = 0.64
_HEADERS = ("query", "nearest", "2nd", "3rd", "4th", "5th")
_FRAMES = "Blue with a check: of the query's class. Orange, dashed, with a cross: of another."


def hits(contents: Contents) -> np.ndarray:
    """Bool [Q', at most 5]: whether each of the nearest rows is of the query's class."""
    judgement = contents.judgement
    found = contents.searched_labels[judgement.neighbours[:, :NEIGHBOURS]]
    return found == contents.labels[judgement.rows][:, np.newaxis]


def worst_queries(contents: Contents, most: int = WORST) -> np.ndarray:
    """Positions in `judgement.rows` of queries whose nearest row is of another class.

    First those with the fewest rows of their class among the five nearest, and of these the ones
    with the nearest wrong row: the surest mistakes. Fewer than `most` where there are fewer.
    """
    right = hits(contents)
    nearest = contents.judgement.neighbour_distances[:, 0]
    order = np.lexsort((nearest, right.sum(axis=1)))
    return order[~right[order, 0]][:most]


def typical_queries(contents: Contents, most: int = TYPICAL, seed: int = 0) -> np.ndarray:
    """Positions in `judgement.rows`, drawn at random."""
    return np.random.default_rng(seed).permutation(len(contents.judgement.rows))[:most]


def rows_shown(contents: Contents) -> set[int]:
    """Numbers of the rows whose images the sheets show."""
    judgement = contents.judgement
    positions = np.union1d(worst_queries(contents), typical_queries(contents))
    found = judgement.neighbours[positions, :NEIGHBOURS]
    return {*judgement.rows[positions].tolist(), *found.ravel().tolist()}


def sheet_plots(contents: Contents) -> list[Plot]:
    """The worst queries, where any is wrong, and some drawn at random. Needs the images."""
    wrong = int((~hits(contents)[:, 0]).sum())
    worst, typical = worst_queries(contents), typical_queries(contents)
    plots = []
    if wrong:
        plots.append(
            Plot(
                "neighbours_worst",
                sheet_figure(contents, worst),
                f"{len(worst)} queries whose nearest row is of another class, with the five rows "
                "nearest to each.",
                f"{len(worst)} of the {wrong:,} queries whose nearest row is of another class, the "
                "surest mistakes first: the fewest right among five, then the smallest distance. "
                "Look for wrong labels, odd images, and classes that really are alike. " + _FRAMES,
            )
        )
    plots.append(
        Plot(
            "neighbours_random",
            sheet_figure(contents, typical),
            f"{len(typical)} queries drawn at random, with the five rows nearest to each.",
            "Queries drawn at random, which show the usual case. " + _FRAMES,
        )
    )
    return plots


def sheet_figure(contents: Contents, positions: np.ndarray) -> Figure:
    """A line per query: the query, then its nearest rows with class and distance under each.

    Args:
        positions: integers [n], positions in `judgement.rows`, in the order of the lines.
    """
    judgement, right = contents.judgement, hits(contents)
    images = contents.images
    assert images is not None
    width = right.shape[1] * _COLUMN + _GAP + 1
    height = len(positions) * _LINE + 0.3
    size = (_INCHES * (width + 0.2), _INCHES * (height + 0.1))
    figure = Figure(figsize=size, layout="none")  # type: ignore[arg-type]  # its types forget it
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")

    def write(left: float, baseline: float, text: str, color: str = "black") -> None:
        axes.text(left + 0.5, baseline, text, ha="center", va="baseline", fontsize=8, color=color)

    for column, header in enumerate(_HEADERS[: right.shape[1] + 1]):
        write(_left(column), -0.12, header, color="#555555")
    for line, position in enumerate(positions):
        top = line * _LINE
        row = judgement.rows[position]
        _draw(axes, 0, top, images[row], GREY, "-")
        write(0, top + _NAME, short_name(int(contents.labels[row]), contents.class_names, 9))
        for column in range(right.shape[1]):
            left, good = _left(column + 1), right[position, column]
            found = judgement.neighbours[position, column]
            name = short_name(int(contents.searched_labels[found]), contents.class_names, 9)
            distance = judgement.neighbour_distances[position, column]
            color, dashes = (BLUE, "-") if good else (ORANGE, (0, (3, 1.5)))
            _draw(axes, left, top, images[found], color, dashes)
            write(left, top + _NAME, name)
            write(left, top + _MARK, f"{'✓' if good else '✗'} {distance:.2f}")
    axes.set(xlim=(-0.1, width + 0.1), ylim=(height - 0.3, -0.4), aspect="equal")
    return figure


def _left(column: int) -> float:
    return column * _COLUMN + (_GAP if column else 0)


def _draw(axes: Axes, left: float, top: float, image: np.ndarray, color: str, dashes: Any) -> None:
    """An image in its frame, in a square of side 1 whose upper left corner is given."""
    height, width = 0.92 * np.array(image.shape[:2]) / max(image.shape[:2])
    x, y = left + (1 - width) / 2, top + (1 - height) / 2
    axes.imshow(rgba(image), extent=(x, x + width, y + height, y))
    axes.add_patch(Rectangle((left, top), 1, 1, fill=False, ec=color, ls=dashes, lw=2))


def rgba(image: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 1 to 4] -> [H, W, 4]; two channels are grey and opacity."""
    whole = image[..., 0] if image.shape[-1] == 1 else image
    return np.asarray(Image.fromarray(whole).convert("RGBA"))
