"""Sheets of queries and their nearest neighbours."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from triplet_train.evaluation.tables import TableEvaluation
from triplet_train.report.contents import Images
from triplet_train.report.style import BLUE, GREY, ORANGE, Plot, short_name

NEIGHBOURS = 5
WORST = 12
TYPICAL = 6
_COLUMN, _LINE, _GAP = 1.14, 1.56, 0.2  # in widths of an image; the gap parts the query
_NAME, _MARK = 1.2, 1.39  # baselines below the upper edge
_INCHES = 0.64
_HEADERS = ("query", "nearest", "2nd", "3rd", "4th", "5th")
_FRAMES = "Blue with a check: of the query's class. Orange, dashed, with a cross: of another."


def hits(evaluated: TableEvaluation) -> np.ndarray:
    """Bool [Q', at most 5]: True where a nearest image has the query's class."""
    result = evaluated.result
    labels = result.neighbour_labels[:, :NEIGHBOURS]
    return labels == evaluated.queries.labels[result.query_indices][:, np.newaxis]


def worst_queries(evaluated: TableEvaluation, most: int = WORST) -> np.ndarray:
    """Positions in `query_indices` of at most `most` queries whose nearest image is wrong.

    Queries with the fewest images of their class among the five nearest come first, and of these
    the queries with the smallest distance to the wrong image: the surest mistakes.
    """
    right = hits(evaluated)
    nearest = evaluated.result.neighbour_distances[:, 0]
    order = np.lexsort((nearest, right.sum(axis=1)))
    return order[~right[order, 0]][:most]


def typical_queries(evaluated: TableEvaluation, most: int = TYPICAL, seed: int = 0) -> np.ndarray:
    """Positions in `query_indices`, drawn at random."""
    queries = len(evaluated.result.query_indices)
    return np.random.default_rng(seed).permutation(queries)[:most]


def queries_shown(evaluated: TableEvaluation) -> np.ndarray:
    """Indices of the queries whose images the sheets show, ascending, without a gallery."""
    result = evaluated.result
    positions = np.union1d(worst_queries(evaluated), typical_queries(evaluated))
    near = result.neighbours[positions, :NEIGHBOURS]
    return np.union1d(result.query_indices[positions], near[near >= 0])


def sheet_plots(evaluated: TableEvaluation, images: Images) -> list[Plot]:
    """Draw the worst queries, if any is wrong, and some at random.

    Args:
        images: of `queries_shown`.
    """
    wrong = int((~hits(evaluated)[:, 0]).sum())
    worst, typical = worst_queries(evaluated), typical_queries(evaluated)
    plots = []
    if wrong:
        plots.append(
            Plot(
                "neighbours_worst",
                sheet_figure(evaluated, images, worst),
                f"{len(worst)} queries whose nearest image is of another class, with the five "
                "images nearest to each.",
                f"{len(worst)} of the {wrong:,} queries whose nearest image is of another class. "
                "The surest mistakes come first: the fewest right among five, then the smallest "
                "distance. Look for wrong labels, odd images and classes that look alike. "
                + _FRAMES,
            )
        )
    plots.append(
        Plot(
            "neighbours_random",
            sheet_figure(evaluated, images, typical),
            f"{len(typical)} queries drawn at random, with the five images nearest to each.",
            "Queries drawn at random show the usual case. " + _FRAMES,
        )
    )
    return plots


def sheet_figure(evaluated: TableEvaluation, images: Images, positions: np.ndarray) -> Figure:
    """Draw a line per query: the query, then its nearest images with class and distance.

    Args:
        positions: integers [n], positions in `query_indices`, in the order of the lines.
    """
    result, right = evaluated.result, hits(evaluated)
    names = evaluated.class_names
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
        query = result.query_indices[position]
        _draw(axes, 0, top, images[query], GREY, "-")
        write(0, top + _NAME, short_name(int(evaluated.queries.labels[query]), names, 9))
        for column, near in enumerate(result.neighbours[position, : right.shape[1]].tolist()):
            if near < 0:
                break  # the query has no more images to search
            left, good = _left(column + 1), right[position, column]
            name = short_name(int(result.neighbour_labels[position, column]), names, 9)
            distance = result.neighbour_distances[position, column]
            color, dashes = (BLUE, "-") if good else (ORANGE, (0, (3, 1.5)))
            _draw(axes, left, top, images[near], color, dashes)
            write(left, top + _NAME, name)
            write(left, top + _MARK, f"{'✓' if good else '✗'} {distance:.2f}")
    axes.set(xlim=(-0.1, width + 0.1), ylim=(height - 0.3, -0.4), aspect="equal")
    return figure


def _left(column: int) -> float:
    return column * _COLUMN + (_GAP if column else 0)


def _draw(axes: Axes, left: float, top: float, image: np.ndarray, color: str, dashes: Any) -> None:
    """Draw an image in its frame, in a square of side 1 with the given upper left corner."""
    height, width = 0.92 * np.array(image.shape[:2]) / max(image.shape[:2])
    x, y = left + (1 - width) / 2, top + (1 - height) / 2
    axes.imshow(rgba(image), extent=(x, x + width, y + height, y))
    axes.add_patch(Rectangle((left, top), 1, 1, fill=False, ec=color, ls=dashes, lw=2))


def rgba(image: np.ndarray) -> np.ndarray:
    """Convert uint8 [H, W, 1 to 4] to [H, W, 4]; two channels are grey and opacity."""
    whole = image[..., 0] if image.shape[-1] == 1 else image
    return np.asarray(Image.fromarray(whole).convert("RGBA"))
