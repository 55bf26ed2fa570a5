"""Coverage: the number of queries and classes that were evaluated and left out."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Coverage:
    """Counts that are given with all metrics; JSON has them under these names.

    Attributes:
        queries, query_classes: number of evaluated queries, and of their classes.
        queries_without_their_class, query_classes_left_out: number of queries without an image of
            their class in the gallery, which were left out, and of their classes.
        rows_without_label: number of images without a label, in queries and gallery.
    """

    queries: int
    query_classes: int
    queries_without_their_class: int = 0
    query_classes_left_out: int = 0
    rows_without_label: int = 0

    @classmethod
    def of_counts(cls, counts: Mapping[str, Any]) -> "Coverage":
        """Return the counts in the JSON of an evaluation, which may hold other keys."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: counts[name] for name in names})

    def __str__(self) -> str:
        """Words such as "300 queries of 10 classes; left out: 4 queries of 2 classes"."""
        lost = []
        if self.queries_without_their_class:
            lost.append(of_classes(self.queries_without_their_class, self.query_classes_left_out))
        if self.rows_without_label:
            lost.append(f"{self.rows_without_label:,} without a label")
        text = of_classes(self.queries, self.query_classes)
        return f"{text}; left out: {', '.join(lost)}" if lost else text


def coverage(query_labels: np.ndarray, evaluated: np.ndarray) -> Coverage:
    """Coverage where only some queries are evaluated.

    Args:
        query_labels: integers [Q].
        evaluated: int64 [Q'], the indices of the evaluated queries.
    """
    labels, left_out = query_labels[evaluated], np.delete(query_labels, evaluated)
    return Coverage(len(labels), len(np.unique(labels)), len(left_out), len(np.unique(left_out)))


def leave_one_out_coverage(labels: np.ndarray) -> Coverage:
    """Coverage of leave-one-out, known from the labels before there are any vectors."""
    _, place, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return coverage(labels, np.flatnonzero(counts[place] > 1))


def of_classes(queries: int, classes: int) -> str:
    """Words such as "300 queries of 10 classes"."""
    return (
        f"{queries:,} {'query' if queries == 1 else 'queries'} of "
        f"{classes:,} {'class' if classes == 1 else 'classes'}"
    )
