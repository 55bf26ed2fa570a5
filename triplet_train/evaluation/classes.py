"""Metrics of each class, and the pairs of classes that are confused."""

from dataclasses import dataclass

import numpy as np

from triplet_train.evaluation.metrics import MetricTable, Shown


@dataclass(frozen=True)
class ClassMetrics:
    """Means over the evaluated queries of one class.

    Attributes:
        label: the class.
        queries: number of evaluated queries of the class.
        metrics: name -> mean, of the metrics that are shown by class.
    """

    label: int
    queries: int
    metrics: dict[str, float]


@dataclass(frozen=True)
class Confusion:
    """Queries of one class whose nearest image is of another.

    Attributes:
        label: the class of the queries.
        mistaken_for: the class of their nearest images.
        queries: number of these queries.
        share: of all evaluated queries of `label`.
    """

    label: int
    mistaken_for: int
    queries: int
    share: float


def class_table(
    labels: np.ndarray, per_query: dict[str, np.ndarray], metrics: MetricTable
) -> list[ClassMetrics]:
    """Metrics of each class of the queries, lowest map_at_r first, then by label.

    Args:
        labels: integers [Q].
        per_query: metric -> [Q].
        metrics: those shown by class are averaged.
    """
    classes, position, counts = np.unique(labels, return_inverse=True, return_counts=True)
    means = {
        metric.name: (np.bincount(position, per_query[metric.name]) / counts).tolist()
        for metric in metrics.shown_in(Shown.CLASS_JSON)
    }
    table = [
        ClassMetrics(label, queries, {name: values[place] for name, values in means.items()})
        for place, (label, queries) in enumerate(
            zip(classes.tolist(), counts.tolist(), strict=True)
        )
    ]
    return sorted(table, key=lambda row: (row.metrics["map_at_r"], row.label))


def confusions(labels: np.ndarray, nearest: np.ndarray) -> list[Confusion]:
    """Pairs of classes that are confused, most queries first, then by share and labels.

    Args:
        labels, nearest: integers [Q], the class of each query and that of its nearest image.

    Returns:
        At most Q pairs, in O(Q log Q) time and O(Q) memory for any number of classes.
    """
    classes, queries = np.unique(labels, return_counts=True)
    wrong = labels != nearest
    pairs, counts = np.unique(
        np.column_stack([labels[wrong], nearest[wrong]]), axis=0, return_counts=True
    )
    shares = counts / queries[np.searchsorted(classes, pairs[:, 0])]
    order = np.lexsort((*pairs.T[::-1], -shares, -counts))
    columns = (part[order].tolist() for part in (*pairs.T, counts, shares))
    return [Confusion(*row) for row in zip(*columns, strict=True)]
