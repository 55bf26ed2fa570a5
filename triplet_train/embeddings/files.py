"""Embedding files of every format: safe writing, and reading back."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from triplet_train.embeddings import npz, parquet, projector
from triplet_train.embeddings.formats import format_of
from triplet_train.embeddings.table import EmbeddingTable
from triplet_train.errors import RequestError
from triplet_train.files import first_line, replacing

_WRITERS: dict[str, Callable[[EmbeddingTable, Path], None]] = {
    "parquet": parquet.write,
    "npz": npz.write,
    "projector": projector.write,
}
_READERS: dict[str, Callable[[Path], EmbeddingTable]] = {"parquet": parquet.read, "npz": npz.read}


def write_table(table: EmbeddingTable, path: Path, format: str) -> None:
    """Write beside `path` and rename: the file is whole or not there."""
    with replacing(path) as beside:
        _WRITERS[format](table, beside)


def read_table(path: Path) -> EmbeddingTable:
    """The table in an embedding file.

    Raises:
        RequestError: no such file, a format that is not read back, or not an embedding file.
    """
    format = format_of(path)
    if format not in _READERS:
        raise RequestError(f"{path}: expected an embedding file that ends in .parquet or .npz")
    if not path.is_file():
        raise RequestError(f"no embedding file {path}")
    try:
        table = _READERS[format](path)
        _require_whole(table)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise RequestError(
            f"{path} is not an embedding file of triplet-train: {first_line(error)}"
        ) from error
    return table


def _require_whole(table: EmbeddingTable) -> None:
    """Raises ValueError for a table of other shapes or types than its description says."""
    vectors, labels = table.embeddings, table.labels
    if vectors.ndim != 2 or vectors.dtype != np.float32:
        raise ValueError(f"embeddings are {vectors.dtype} {vectors.shape}, not float32 [N, D]")
    if labels.shape != vectors.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"labels are {labels.dtype} {labels.shape}, not {len(vectors)} integers")
    if not len(vectors) == len(table.label_names) == len(table.ids):
        raise ValueError("columns differ in length")
    if not isinstance(table.metadata, dict):
        raise ValueError("metadata is not a JSON object")
    if not np.isfinite(vectors).all():
        raise ValueError("embeddings are not finite")
