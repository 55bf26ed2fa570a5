"""Maps: the vectors in the plane, in colours by class."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Bbox

from triplet_train.evaluation.tables import TableEvaluation
from triplet_train.report.projections import (
    FEWEST_FOR_TSNE,
    balanced_sample,
    pca_map,
    tsne_map,
)
from triplet_train.report.style import WIDTH, Plot, name_of, short_name

MOST_CLASSES = 12
# Petroff (2021): ten colours that stay apart under simulated colour blindness.
_COLORS = (
    "#3f90da",
    "#ffa90e",
    "#bd1f01",
    "#94a4a2",
    "#832db6",
    "#a96b59",
    "#e76300",
    "#b9ac70",
    "#717581",
    "#92dadd",
)
_ENDS = np.array([-1, 1])
_OTHERS = "#cccccc"
_MARKERS = "osD^vPXp<>hd"


def map_plots(evaluated: TableEvaluation) -> tuple[list[Plot], str]:
    """Draw maps by PCA and t-SNE of up to 2,000 queries, with a remark on what they show."""
    queries, names = evaluated.queries, evaluated.class_names
    evaluated_labels = queries.labels[evaluated.result.query_indices]
    drawn = evaluated.result.query_indices[balanced_sample(evaluated_labels)]
    vectors, labels = queries.embeddings[drawn], queries.labels[drawn]
    distinct = len(np.unique(vectors, axis=0))
    if distinct < 2 or vectors.shape[1] < 2:
        return [], "There is no map: it needs two different vectors of two dimensions or more."
    named = _named(labels, evaluated)
    remark = _remark(len(drawn), evaluated_labels, named)
    places, shares = pca_map(vectors)
    axis_labels = tuple(
        f"{order} component: {share:.0%} of the variance"
        for order, share in zip(("first", "second"), shares, strict=True)
    )
    plots = [
        Plot(
            "map_pca",
            map_figure("PCA", places, labels, named, names, axis_labels),
            _alt("PCA", labels, named, names),
            "The plane with the largest variance. Distances are to scale, but "
            f"{1 - shares.sum():.0%} of the variance is lost: classes that overlap here may be "
            "apart.",
        )
    ]
    if distinct < FEWEST_FOR_TSNE:
        remark += f" t-SNE is left out: it needs {FEWEST_FOR_TSNE} different vectors."
        return plots, remark
    plots.append(
        Plot(
            "map_tsne",
            map_figure("t-SNE", tsne_map(vectors), labels, named, names),
            _alt("t-SNE", labels, named, names),
            "Neighbours stay neighbours. Look for one island per class, and for points in an "
            "island of another class. The sizes and distances of islands mean little.",
        )
    )
    return plots, remark


def map_figure(
    title: str,
    places: np.ndarray,
    labels: np.ndarray,
    named: list[int],
    class_names: dict[int, str],
    axis_labels: tuple[str, ...] = (),
) -> Figure:
    """Draw a point per vector; the `named` classes in colours and shapes, all others grey.

    Args:
        places: float [N, 2].
        labels: integers [N].
        named: at most 12 labels.
        axis_labels: of x and y; without them the axes have no scale.
    """
    figure = Figure(figsize=(WIDTH, WIDTH + 0.7))
    axes = figure.add_subplot()
    axes.set_title(title, loc="left")
    middle = (places.min(axis=0) + places.max(axis=0)) / 2
    half = 0.53 * np.ptp(places, axis=0).max()
    axes.set(xlim=middle[0] + half * _ENDS, ylim=middle[1] + half * _ENDS, aspect="equal")
    others = ~np.isin(labels, named)
    size = 12 if len(places) > 500 and not others.any() else 22
    if others.any():
        x, y = places[others].T
        axes.scatter(x, y, s=8, color=_OTHERS, lw=0, label="other classes")
    for position, label in enumerate(named):
        x, y = places[labels == label].T
        axes.scatter(
            x,
            y,
            s=size,
            color=_COLORS[position % len(_COLORS)],
            marker=_MARKERS[position],
            lw=0.25,
            edgecolors="white",
            label=short_name(label, class_names),
        )
    for label in named:
        x, y = _middle(places[labels == label])
        axes.text(
            x,
            y,
            short_name(label, class_names),
            fontweight="bold",
            ha="center",
            va="center",
            clip_on=True,
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )
    if axis_labels:
        axes.set_xlabel(axis_labels[0])
        axes.set_ylabel(axis_labels[1])
    else:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    longest = max(len(short_name(label, class_names)) for label in named)
    columns = 4 if longest <= 7 else 3
    figure.legend(loc="outside lower center", ncols=columns, markerscale=1.5, handletextpad=0.2)
    _remove_covered(figure)
    return figure


def _remove_covered(figure: Figure) -> None:
    """Remove names that overlap others; the legend has them."""
    figure.draw_without_rendering()
    boxes: list[Bbox] = []
    for text in list(figure.axes[0].texts):
        box = text.get_window_extent()
        if any(box.overlaps(other) for other in boxes):
            text.remove()
        else:
            boxes.append(box)


def _named(labels: np.ndarray, evaluated: TableEvaluation) -> list[int]:
    """The classes in colour: all if there are few, else those with the lowest map_at_r."""
    every: list[int] = np.unique(labels).tolist()
    if len(every) <= MOST_CLASSES:
        return every
    shown = set(every)
    worst = [row.label for row in evaluated.result.classes if row.label in shown]
    return (worst or every)[:MOST_CLASSES]


def _middle(places: np.ndarray) -> np.ndarray:
    """The point of a class nearest to its median, which is one of its points."""
    away = np.square(places - np.median(places, axis=0)).sum(axis=1)
    return places[away.argmin()]


def _remark(shown: int, labels: np.ndarray, named: list[int]) -> str:
    queries, classes = len(labels), len(np.unique(labels))
    text = f"All {queries:,} queries are shown."
    if shown < queries:
        text = f"{shown:,} of the {queries:,} queries are shown, drawn at random, evenly by class."
    if classes > len(named):
        text += (
            f" Of the {classes:,} classes, the {len(named)} with the lowest map_at_r are in colour."
        )
    return text


def _alt(method: str, labels: np.ndarray, named: list[int], class_names: dict[int, str]) -> str:
    names = ", ".join(name_of(label, class_names) for label in named)
    return f"{method} map of {len(labels):,} vectors; in colour: {names}."
