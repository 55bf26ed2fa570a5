"""Over how many queries and classes metrics are, and how many were left out."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Coverage:
    """Counts that belong beside every metric; in JSON they have these names.

    Attributes:
        queries, query_classes: queries that were evaluated, and their classes.
        queries_without_their_class, query_classes_left_out: queries that were not, since the
            gallery has no row of their class for them, and their classes.
        rows_without_label: rows of queries and gallery that were left out before.
    """

    queries: int
    query_classes: int
    queries_without_their_class: int = 0
    query_classes_left_out: int = 0
    rows_without_label: int = 0

    @classmethod
    def of_counts(cls, counts: Mapping[str, Any]) -> "Coverage":
        """The counts in the JSON of an evaluation, whatever else that holds."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: counts[name] for name in names})

    def __str__(self) -> str:
        """In words: "300 queries of 10 classes; left out: 4 queries of 2 classes"."""
        lost = []
        if self.queries_without_their_class:
            lost.append(of_classes(self.queries_without_their_class, self.query_classes_left_out))
        if self.rows_without_label:
            lost.append(f"{self.rows_without_label:,} without a label")
        text = of_classes(self.queries, self.query_classes)
        return f"{text}; left out: {', '.join(lost)}" if lost else text


def coverage(query_labels: np.ndarray, rows: np.ndarray) -> Coverage:
    """Of an evaluation of the queries `rows` alone, int64 [Q'], among those with `query_labels`."""
    left_out = np.delete(query_labels, rows)
    return Coverage(
        len(rows), len(np.unique(query_labels[rows])), len(left_out), len(np.unique(left_out))
    )


def leave_one_out_coverage(labels: np.ndarray) -> Coverage:
    """Coverage where each row searches all others: known before there are any vectors."""
    _, place, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return coverage(labels, np.flatnonzero(counts[place] > 1))


def of_classes(queries: int, classes: int) -> str:
    """Such as "300 queries of 10 classes"."""
    return (
        f"{queries:,} {'query' if queries == 1 else 'queries'} of "
        f"{classes:,} {'class' if classes == 1 else 'classes'}"
    )
