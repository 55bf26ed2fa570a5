"""Common labels for the classes of several tables."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count

import numpy as np

from triplet_train.embeddings.table import EmbeddingTable

Classes = set[tuple[int, str]]  # labels with names


def names_of(table: EmbeddingTable) -> set[str]:
    """Return the names of the classes of a table; a label without a name is its own name."""
    return {name for _, name in classes_of(table)}


def with_common_labels(
    tables: Sequence[EmbeddingTable],
) -> tuple[list[EmbeddingTable], dict[int, str]]:
    """Give classes of the same name the same label in all tables; see `common_labels`.

    Returns:
        The tables, and the name of each label.
    """
    labels = common_labels([classes_of(table) for table in tables])
    names = {label: name for name, label in labels.items()}
    return [relabelled(table, labels) for table in tables], names


def common_labels(tables: Sequence[Classes]) -> dict[str, int]:
    """Return a label for each name of a class, from the classes of each table.

    A class has its label in the first table with that name, or a new one if that label is taken. A
    single table keeps its labels, unless two labels share a name or two names a label.
    """
    classes = [sorted(table) for table in tables]
    taken = {label for some in classes for label, _ in some}
    unused = (label for label in count() if label not in taken)
    given: set[int] = set()
    labels: dict[str, int] = {}
    for label, name in (pair for some in classes for pair in some):
        if name not in labels:
            labels[name] = next(unused) if label in given else label
            given.add(labels[name])
    return labels


def classes_of(table: EmbeddingTable) -> Classes:
    """Return the labels of a table with their names, without -1, which is no class."""
    pairs = set(zip(table.labels.tolist(), table.label_names, strict=True))
    return {(label, name or str(label)) for label, name in pairs if label >= 0}


def relabelled(table: EmbeddingTable, labels: dict[str, int]) -> EmbeddingTable:
    """Return a table with the labels of the names of its classes; -1 stays."""
    rows = zip(table.labels.tolist(), table.label_names, strict=True)
    changed = [labels[name or str(label)] if label >= 0 else -1 for label, name in rows]
    return replace(table, labels=np.array(changed, np.int64))
