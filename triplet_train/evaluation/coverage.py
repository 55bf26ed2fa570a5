"""Coverage: the number of queries and classes that were evaluated and left out."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from triplet_train.evaluation.protocol import Protocol


@dataclass(frozen=True)
class Coverage:
    """Counts that are given with all metrics; JSON has them under these names.

    Attributes:
        queries, query_classes: number of evaluated queries, and of their classes.
        queries_without_their_class, query_classes_left_out: number of queries without another image
            of their class in the gallery, which were left out, and of their classes.
        rows_without_label: number of images that were left out because they have no label.
        queries_with_own_group_only: number of queries that were left out because all images of
            their class in the gallery are of their own group.
        rows_without_part: number of images that their role left out.
        gallery_images: number of images of the gallery.
        distractors: number of these without a label, which are negatives of every query.
        ignored_pairs: number of pairs of a query and another image that were ignored, because
            both are of the same class and group.
    """

    queries: int
    query_classes: int
    queries_without_their_class: int = 0
    query_classes_left_out: int = 0
    rows_without_label: int = 0
    queries_with_own_group_only: int = 0
    rows_without_part: int = 0
    gallery_images: int = 0
    distractors: int = 0
    ignored_pairs: int = 0

    @classmethod
    def of_counts(cls, counts: Mapping[str, Any]) -> "Coverage":
        """Return the counts in the JSON of an evaluation, which may hold other keys, or fewer."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: counts[name] for name in names if name in counts})

    def __str__(self) -> str:
        """Words such as "300 queries of 10 classes; left out: 4 queries of 2 classes"."""
        lost = []
        if self.queries_without_their_class:
            lost.append(of_classes(self.queries_without_their_class, self.query_classes_left_out))
        if self.queries_with_own_group_only:
            lost.append(f"{self.queries_with_own_group_only:,} with their own group only")
        if self.rows_without_label:
            lost.append(f"{self.rows_without_label:,} without a label")
        text = of_classes(self.queries, self.query_classes)
        return f"{text}; left out: {', '.join(lost)}" if lost else text


def coverage_of(protocol: Protocol) -> Coverage:
    """Counts of an evaluation, which are known before there are any vectors."""
    relevant, lonely = protocol.relevant > 0, protocol.without_their_class
    return Coverage(
        int(relevant.sum()),
        _classes(protocol, relevant),
        int(lonely.sum()),
        _classes(protocol, lonely),
        protocol.rows_without_label,
        int((~relevant & ~lonely).sum()),
        protocol.rows_without_part,
        len(protocol.gallery_indices),
        int((protocol.gallery_labels < 0).sum()),
        int(protocol.ignored.sum() - protocol.itself.sum()),
    )


def of_classes(queries: int, classes: int) -> str:
    """Words such as "300 queries of 10 classes"."""
    return (
        f"{queries:,} {'query' if queries == 1 else 'queries'} of "
        f"{classes:,} {'class' if classes == 1 else 'classes'}"
    )


def _classes(protocol: Protocol, queries: np.ndarray) -> int:
    return len(np.unique(protocol.query_labels[queries]))
