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


def confusion_matrix(labels: np.ndarray, nearest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Queries by their class (rows) and the class of their nearest row (columns).

    Args:
        labels, nearest: integers [Q].

    Returns:
        int64 [C, C], and the classes int64 [C] in its order: all that occur in either.
    """
    classes, position = np.unique(np.concatenate([labels, nearest]), return_inverse=True)
    matrix = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(matrix, tuple(position.reshape(2, -1)), 1)
    return matrix, classes.astype(np.int64)


def confusions(matrix: np.ndarray, classes: np.ndarray) -> list[Confusion]:
    """The entries off the diagonal that are not 0: most queries first, then by share and labels."""
    found, of = np.nonzero(matrix)
    found, of = found[found != of], of[found != of]
    counts, totals = matrix[found, of], matrix.sum(axis=1)[found]
    rows = zip(
        classes[found].tolist(),
        classes[of].tolist(),
        counts.tolist(),
        (counts / totals).tolist(),
        strict=True,
    )
    hardest = sorted(rows, key=lambda row: (-row[2], -row[3], row[:2]))
    return [Confusion(*row) for row in hardest]
