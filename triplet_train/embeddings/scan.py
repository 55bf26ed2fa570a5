"""An embedding file that is searched: vectors in blocks, and the names of the rows found."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from triplet_train.embeddings.table import EmbeddingTable

BLOCK = 8192  # rows


class Entry(NamedTuple):
    """A row of an embedding file without its vector; see `EmbeddingTable`."""

    id: str
    label: int
    label_name: str


@dataclass(frozen=True)
class Scan:
    """An embedding file, or all its shards, that need not fit in memory.

    Attributes:
        files: the file, or the shards in their order.
        metadata: see `EmbeddingTable`.
        count: N, the number of rows.
        width: D, the dimensions of the vectors.
        blocks: yields the vectors of all rows in order, float32 [n, D]. Some of the next are read
            in the background.
        entries: returns some rows, int64 [n].
    """

    files: Sequence[Path]
    metadata: dict[str, Any]
    count: int
    width: int
    blocks: Callable[[], Iterator[np.ndarray]]
    entries: Callable[[np.ndarray], list[Entry]]


def scan_of(table: EmbeddingTable, files: Sequence[Path]) -> Scan:
    """Return the scan of a table in memory."""

    def blocks() -> Iterator[np.ndarray]:
        for start in range(0, len(table.ids), BLOCK):
            yield table.embeddings[start : start + BLOCK]

    def entries(rows: np.ndarray) -> list[Entry]:
        labels = table.labels[rows].tolist()
        return [
            Entry(table.ids[row], label, table.label_names[row])
            for row, label in zip(rows.tolist(), labels, strict=True)
        ]

    count, width = table.embeddings.shape
    return Scan(files, table.metadata, count, width, blocks, entries)
