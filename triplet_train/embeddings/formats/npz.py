"""npz: an array per column, without pickle."""

import json
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np

from triplet_train.data.columns import ColumnTypes
from triplet_train.embeddings.arrays import array_types, arrays_of, table_of
from triplet_train.embeddings.table import Append, EmbeddingTable

_BLOCK = 2**20  # bytes


@contextmanager
def writer(
    path: Path, width: int, metadata: dict[str, Any], columns: ColumnTypes
) -> Iterator[Append]:
    """Write the arrays of `arrays.arrays_of` and metadata (JSON text).

    The header of an array holds its length, so that arrays are kept in temporary files until the
    lengths are known.
    """
    with ExitStack() as stack:
        types = array_types(width, columns)
        files = {name: stack.enter_context(TemporaryFile(dir=path.parent)) for name in types}
        longest = {name: 1 for name, (dtype, _) in types.items() if dtype is None}  # characters
        rows = 0

        def append(table: EmbeddingTable) -> None:
            nonlocal rows
            rows += len(table.ids)
            for name, values in arrays_of(table).items():
                if isinstance(values, list):
                    longest[name] = max(longest[name], *map(len, values), 1)
                    files[name].write("".join(json.dumps(t) + "\n" for t in values).encode())
                else:
                    files[name].write(np.ascontiguousarray(values, types[name][0]).data)

        yield append
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            for name, (dtype, shape) in types.items():
                if dtype is None:
                    dtype = np.dtype(f"<U{longest[name]}")
                    content = _texts(files[name], dtype)
                else:
                    content = _blocks(files[name])
                _put(archive, name, dtype, (rows, *shape), content)
            text = np.array(json.dumps(metadata))
            _put(archive, "metadata", text.dtype, (), [text.tobytes()])


def read(path: Path) -> EmbeddingTable:
    """Read what `writer` wrote. Raises any exception of the library for other files."""
    with np.load(path, allow_pickle=False) as arrays:
        return table_of({name: _read(arrays[name]) for name in arrays})


def _read(array: np.ndarray) -> Any:
    return array.tolist() if array.dtype.kind == "U" else array


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
