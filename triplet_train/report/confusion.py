"""Plots of the classes that are confused."""

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from triplet_train.evaluation.classes import Confusion
from triplet_train.evaluation.vectors import Evaluation
from triplet_train.report.style import ORANGE, WIDTH, Plot, short_name

MOST_IN_MATRIX = 30
MOST_PAIRS = 20
_RIGHT = ListedColormap(["#e3e6ea"])
_ERRORS = LinearSegmentedColormap.from_list("errors", ["#fdf0e6", ORANGE, "#7a2c00"])


def confusion_plot(result: Evaluation, class_names: dict[int, str]) -> Plot:
    """Draw a matrix of up to 30 classes; of more, the pairs that are confused most."""
    labels = confused_labels(result)
    if len(labels) > MOST_IN_MATRIX:
        pairs = result.confusions[:MOST_PAIRS]
        return Plot(
            "confusion",
            pairs_figure(pairs, class_names),
            f"Bar chart of the {len(pairs)} pairs of classes that are confused most.",
            f"With {len(labels):,} classes a matrix would be too large to read, so here are the "
            "pairs that are confused most: the class of the query, and the class of its nearest "
            "image.",
        )
    wrong = sum(pair.queries for pair in result.confusions)
    return Plot(
        "confusion",
        matrix_figure(confusion_matrix(result, labels), labels, class_names),
        f"Matrix of {len(labels)} classes; {wrong:,} of {result.coverage.queries:,} queries lie "
        "off its diagonal.",
        "Number of queries by their class (row) and the class of their nearest image (column). "
        "The grey diagonal is right. Off it, a darker cell is a larger share of the row's class: "
        "look for two classes that are taken for each other, and for a dark column that attracts "
        "many classes.",
    )


def confused_labels(result: Evaluation) -> list[int]:
    """The classes of the queries and of their nearest images, ascending."""
    of_queries = {row.label for row in result.classes}
    return sorted(of_queries | {pair.mistaken_for for pair in result.confusions})


def confusion_matrix(result: Evaluation, labels: list[int]) -> np.ndarray:
    """int64 [C, C], queries by their class (row) and the class of their nearest image (column)."""
    place = {label: index for index, label in enumerate(labels)}
    matrix = np.zeros((len(labels), len(labels)), np.int64)
    for row in result.classes:
        matrix[place[row.label], place[row.label]] = row.queries
    for pair in result.confusions:
        matrix[place[pair.label], place[pair.mistaken_for]] = pair.queries
        matrix[place[pair.label], place[pair.label]] -= pair.queries
    return matrix


def matrix_figure(counts: np.ndarray, labels: list[int], class_names: dict[int, str]) -> Figure:
    """Draw numbers in cells, coloured by their share of the row except for the diagonal.

    Args:
        counts: integers [C, C]; rows: class of the query, columns: class of its nearest image.
        labels: C classes.
    """
    size = len(labels)
    side = max(WIDTH, 0.34 * size + 1)
    figure = Figure(figsize=(side, side))
    axes = figure.add_subplot()
    diagonal = np.eye(size, dtype=bool)
    shares = counts / counts.sum(axis=1, keepdims=True).clip(min=1)
    errors = np.ma.array(shares, mask=diagonal | (counts == 0))
    top = errors.max() if errors.count() else 1.0
    axes.imshow(np.where(diagonal, 0.0, np.nan), cmap=_RIGHT)
    axes.imshow(errors, cmap=_ERRORS, vmin=0, vmax=top)
    for row, column in np.argwhere(diagonal | (counts > 0)):
        dark = not diagonal[row, column] and shares[row, column] > 0.6 * top
        axes.text(
            column,
            row,
            _count(counts[row, column]),
            ha="center",
            va="center",
            fontsize=8,
            color="white" if dark else "black",
        )
    names = [short_name(label, class_names) for label in labels]
    upright = max(map(len, names)) > 2
    axes.set_xticks(range(size), names, rotation=90 if upright else 0)
    axes.set_yticks(range(size), names)
    axes.set_xticks(np.arange(1, size) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, size) - 0.5, minor=True)
    axes.grid(False)
    axes.grid(True, which="minor", color="white", lw=1.2)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("class of the nearest image")
    axes.set_ylabel("class of the query")
    return figure


def pairs_figure(pairs: list[Confusion], class_names: dict[int, str]) -> Figure:
    """Draw a bar for each pair, the hardest on top, with its words above it."""
    figure = Figure(figsize=(WIDTH, 0.6 + 0.36 * len(pairs)))
    axes = figure.add_subplot()
    places = np.arange(len(pairs))
    axes.barh(places, [pair.queries for pair in pairs], height=0.32, color=ORANGE)
    for place, pair in zip(places, pairs, strict=True):
        names = [short_name(n, class_names, 20) for n in (pair.label, pair.mistaken_for)]
        text = f"{names[0]} → {names[1]}: {pair.queries:,} ({pair.share:.0%})"
        axes.text(0, place - 0.22, text, va="bottom", fontsize=8)
    axes.set(yticks=[], ylim=(len(pairs) - 0.5, -0.9))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.set_xlabel("queries, and in brackets their share of the first class")
    axes.spines["left"].set_visible(False)
    return figure


def _count(number: int) -> str:
    return f"{number:,}" if number < 10_000 else f"{number / 1000:.0f}k"
