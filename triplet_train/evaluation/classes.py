"""Which classes are found badly, and which are taken for which."""

from dataclasses import dataclass

import numpy as np

NEAREST_THAT_VOTE = 5
CLASS_FIGURES = ("recall_at_1", "precision_at_10", "r_precision", "map_at_r", "knn_accuracy")


@dataclass(frozen=True)
class ClassFigures:
    """Means over the judged queries of one class.

    Attributes:
        label: the class.
        queries: how many of it were judged.
        recall_at_1, precision_at_10, r_precision, map_at_r, knn_accuracy: as of all queries.
    """

    label: int
    queries: int
    recall_at_1: float
    precision_at_10: float
    r_precision: float
    map_at_r: float
    knn_accuracy: float


@dataclass(frozen=True)
class Confusion:
    """Queries of one class whose nearest row is of another.

    Attributes:
        label: the class of the queries.
        mistaken_for: the class of their nearest rows.
        queries: how many.
        share: of all judged queries of `label`.
    """

    label: int
    mistaken_for: int
    queries: int
    share: float


def vote(labels: np.ndarray) -> np.ndarray:
    """The class that most of the nearest rows are of; of equally many the one with the nearest row.

    Args:
        labels: integers [Q, k], classes of the nearest rows, nearest first. The first 5 vote.

    Returns:
        integers [Q].
    """
    voting = labels[:, :NEAREST_THAT_VOTE]
    votes = (voting[:, :, np.newaxis] == voting[:, np.newaxis, :]).sum(axis=2)
    return np.take_along_axis(voting, votes.argmax(axis=1)[:, np.newaxis], 1)[:, 0]


def class_table(labels: np.ndarray, per_query: dict[str, np.ndarray]) -> list[ClassFigures]:
    """A row per class of the queries, lowest map_at_r first, then by label.

    Args:
        labels: integers [Q].
        per_query: figure -> [Q], among them those of `ClassFigures`.
    """
    classes, position, counts = np.unique(labels, return_inverse=True, return_counts=True)
    means = [(np.bincount(position, per_query[name]) / counts).tolist() for name in CLASS_FIGURES]
    rows = [
        ClassFigures(*row) for row in zip(classes.tolist(), counts.tolist(), *means, strict=True)
    ]
    return sorted(rows, key=lambda row: (row.map_at_r, row.label))


def confusions(labels: np.ndarray, nearest: np.ndarray) -> list[Confusion]:
    """The pairs of classes that occur, most queries first, then by share and labels.

    Args:
        labels, nearest: integers [Q], the class of each query and that of its nearest row.

    Returns:
        At most Q, in O(Q log Q) time and O(Q) memory, however many classes there are.
    """
    classes, queries = np.unique(labels, return_counts=True)
    wrong = labels != nearest
    found, counts = np.unique(
        np.column_stack([labels[wrong], nearest[wrong]]), axis=0, return_counts=True
    )
    shares = counts / queries[np.searchsorted(classes, found[:, 0])]
    order = np.lexsort((*found.T[::-1], -shares, -counts))
    columns = (part[order].tolist() for part in (*found.T, counts, shares))
    return [Confusion(*row) for row in zip(*columns, strict=True)]
