"""Embedding files of every format: safe writing, and reading back."""

import zipfile
from collections.abc import Callable
from pathlib import Path

from triplet_train.embeddings import npz, parquet, projector
from triplet_train.embeddings.formats import format_of
from triplet_train.embeddings.table import EmbeddingTable
from triplet_train.errors import RequestError
from triplet_train.files import replacing

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
        return _READERS[format](path)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        reason = str(error).strip().split("\n")[0]
        raise RequestError(f"{path} is not an embedding file of triplet-train: {reason}") from error
