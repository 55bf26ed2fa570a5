"""HDF5: one data set per column, growing as rows come; in front of them the checksum of all."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from triplet_train.embeddings.table import Append, EmbeddingTable

_CHUNK = 1024  # rows
# HDF5 leaves a block in front to others. Here it begins with the SHA-256 of what follows, since the
# library does not notice all damage: it may search a file without end, or bring the process down.
_BLOCK = 512  # bytes
_SIGNATURE = b"\x89HDF\r\n\x1a\n"


@contextmanager
def writer(path: Path, width: int, metadata: dict[str, Any]) -> Iterator[Append]:
    """Data sets embeddings, labels, label_names, ids and metadata (JSON text)."""
    text = h5py.string_dtype()
    with h5py.File(path, "w", userblock_size=_BLOCK) as file:

        def grow(name: str, dtype: Any, *shape: int) -> h5py.Dataset:
            return file.create_dataset(
                name, (0, *shape), dtype, maxshape=(None, *shape), chunks=(_CHUNK, *shape)
            )

        columns = (
            grow("embeddings", np.float32, width),
            grow("labels", np.int64),
            grow("label_names", text),
            grow("ids", text),
        )
        file.create_dataset("metadata", data=json.dumps(metadata), dtype=text)

        def append(table: EmbeddingTable) -> None:
            rows: tuple[np.ndarray | list[str], ...] = (
                table.embeddings,
                table.labels,
                table.label_names,
                table.ids,
            )
            for column, more in zip(columns, rows, strict=True):
                start = len(column)
                column.resize(start + len(more), axis=0)
                column[start:] = more

        yield append
    checksum = _checksum(path)
    with path.open("r+b") as file:
        file.write(checksum)


def read(path: Path) -> EmbeddingTable:
    """What was written. Raises what the library happens on for any other file."""
    with path.open("rb") as file:
        start = file.read(_BLOCK + len(_SIGNATURE))
    if start[_BLOCK:] == _SIGNATURE and not start.startswith(_checksum(path)):
        raise ValueError("it is damaged, as its checksum shows")
    with h5py.File(path, "r") as file:
        return EmbeddingTable(
            file["embeddings"][()],
            file["labels"][()],
            file["label_names"].asstr()[()].tolist(),
            file["ids"].asstr()[()].tolist(),
            json.loads(file["metadata"].asstr()[()]),
        )


def _checksum(path: Path) -> bytes:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(_BLOCK)
        while piece := file.read(2**20):
            digest.update(piece)
    return digest.digest()
