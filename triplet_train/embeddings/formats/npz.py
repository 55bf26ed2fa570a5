"""npz: an array per column, without pickle."""

import json
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np

from triplet_train.embeddings.table import Append, EmbeddingTable

_BLOCK = 2**20  # bytes


@contextmanager
def writer(path: Path, width: int, metadata: dict[str, Any]) -> Iterator[Append]:
    """Write arrays embeddings, labels, label_names, ids and metadata (JSON text).

    The header of an array holds its length, so that columns are kept in temporary files until the
    lengths are known.
    """
    with ExitStack() as stack:
        vectors, labels, label_names, ids = (
            stack.enter_context(TemporaryFile(dir=path.parent)) for _ in range(4)
        )
        longest = {label_names: 1, ids: 1}  # characters
        rows = 0

        def append(table: EmbeddingTable) -> None:
            nonlocal rows
            rows += len(table.ids)
            vectors.write(np.ascontiguousarray(table.embeddings, np.float32).data)
            labels.write(np.ascontiguousarray(table.labels, np.int64).data)
            for file, texts in ((label_names, table.label_names), (ids, table.ids)):
                longest[file] = max(longest[file], *map(len, texts), 1)
                file.write("".join(json.dumps(text) + "\n" for text in texts).encode())

        yield append
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            _put(archive, "embeddings", np.dtype(np.float32), (rows, width), _blocks(vectors))
            _put(archive, "labels", np.dtype(np.int64), (rows,), _blocks(labels))
            for name, file in (("label_names", label_names), ("ids", ids)):
                type_ = np.dtype(f"<U{longest[file]}")
                _put(archive, name, type_, (rows,), _texts(file, type_))
            text = np.array(json.dumps(metadata))
            _put(archive, "metadata", text.dtype, (), [text.tobytes()])


def read(path: Path) -> EmbeddingTable:
    """Read what `writer` wrote. Raises any exception of the library for other files."""
    with np.load(path, allow_pickle=False) as arrays:
        return EmbeddingTable(
            arrays["embeddings"],
            arrays["labels"],
            arrays["label_names"].tolist(),
            arrays["ids"].tolist(),
            json.loads(str(arrays["metadata"])),
        )


def _put(
    archive: zipfile.ZipFile,
    name: str,
    dtype: np.dtype,
    shape: tuple[int, ...],
    content: Iterable[bytes],
) -> None:
    """Add an array to the archive, as np.savez does."""
    entry = zipfile.ZipInfo(f"{name}.npy")  # without the time: equal tables give equal bytes
    description = np.lib.format.dtype_to_descr(dtype)
    with archive.open(entry, "w", force_zip64=True) as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": description, "fortran_order": False, "shape": shape}
        )
        for block in content:
            file.write(block)


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while block := file.read(_BLOCK):
        yield block


def _texts(file: IO[bytes], dtype: np.dtype) -> Iterator[bytes]:
    """Yield lines of JSON as elements of an array of strings."""
    file.seek(0)
    while lines := file.readlines(_BLOCK // dtype.itemsize):
        yield np.array([json.loads(line) for line in lines], dtype).tobytes()
