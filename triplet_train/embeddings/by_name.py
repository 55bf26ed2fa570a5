"""Labels that mean the same in several tables: a class is its name."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count

import numpy as np

from triplet_train.embeddings.table import EmbeddingTable


def names_of(table: EmbeddingTable) -> set[str]:
    """The classes of a table; of a label without a name its number."""
    return {name for _, name in _classes(table)}


def with_common_labels(
    tables: Sequence[EmbeddingTable],
) -> tuple[list[EmbeddingTable], dict[int, str]]:
    """The tables with one label for each name, and the name of each label.

    The first table to name a class gives it its label, or a new one where the label is taken. So a
    single table keeps its labels, unless one of them has two names or two of them have one.
    """
    classes = [sorted(_classes(table)) for table in tables]
    taken = {label for some in classes for label, _ in some}
    unused = (label for label in count() if label not in taken)
    names: dict[int, str] = {}
    labels: dict[str, int] = {}
    for label, name in (pair for some in classes for pair in some):
        if name not in labels:
            labels[name] = next(unused) if label in names else label
            names[labels[name]] = name
    return [_relabelled(table, labels) for table in tables], names


def _classes(table: EmbeddingTable) -> set[tuple[int, str]]:
    pairs = set(zip(table.labels.tolist(), table.label_names, strict=True))
    return {(label, name or str(label)) for label, name in pairs}


def _relabelled(table: EmbeddingTable, labels: dict[str, int]) -> EmbeddingTable:
    rows = zip(table.labels.tolist(), table.label_names, strict=True)
    changed = np.array([labels[name or str(label)] for label, name in rows], np.int64)
    return replace(table, labels=changed)
