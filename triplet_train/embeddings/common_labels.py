"""Common labels for the classes of several tables."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count

import numpy as np

from triplet_train.embeddings.table import EmbeddingTable


def names_of(table: EmbeddingTable) -> set[str]:
    """Return the names of the classes of a table; a label without a name is its own name."""
    return {name for _, name in _classes(table)}


def with_common_labels(
    tables: Sequence[EmbeddingTable],
) -> tuple[list[EmbeddingTable], dict[int, str]]:
    """Give classes of the same name the same label in all tables.

    A class has its label in the first table with that name, or a new one if that label is taken. A
    single table keeps its labels, unless two labels share a name or two names a label. -1, which is
    no class, stays.

    Returns:
        The tables, and the name of each label.
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
    return {(label, name or str(label)) for label, name in pairs if label >= 0}


def _relabelled(table: EmbeddingTable, labels: dict[str, int]) -> EmbeddingTable:
    rows = zip(table.labels.tolist(), table.label_names, strict=True)
    changed = [labels[name or str(label)] if label >= 0 else -1 for label, name in rows]
    return replace(table, labels=np.array(changed, np.int64))
