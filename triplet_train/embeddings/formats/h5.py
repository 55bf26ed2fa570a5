"""HDF5: one data set per column, with a checksum of the whole file in the user block."""

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from triplet_train.data.columns import ColumnTypes
from triplet_train.embeddings.arrays import ArrayType, array_types, arrays_of, table_of
from triplet_train.embeddings.table import Append, EmbeddingTable

_CHUNK = 1024  # rows
# The user block begins with the SHA-256 of the rest: HDF5 may hang or crash on a damaged file.
# Its own checksums cover neither metadata nor text of variable length.
_BLOCK = 512  # bytes
_SIGNATURE = b"\x89HDF\r\n\x1a\n"


@contextmanager
def writer(
    path: Path, width: int, metadata: dict[str, Any], columns: ColumnTypes
) -> Iterator[Append]:
    """Write data sets as `arrays.arrays_of` names them, and metadata (JSON text)."""
    with _Unfailing(path) as disk, ThreadPoolExecutor(1) as thread:

        def apart(function: Callable[[], Any]) -> Any:
            """Call in another thread: a signal handler that raises would interrupt a write."""
            result = thread.submit(function).result()
            disk.require_written()
            return result

        opening = thread.submit(h5py.File, disk, "w", userblock_size=_BLOCK)
        try:
            types = array_types(width, columns)
            apart(lambda: _create(opening.result(), types, metadata))
            yield lambda table: apart(lambda: _append(opening.result(), table))
        finally:
            apart(lambda: opening.result().close())
    checksum = _checksum(path)
    with path.open("r+b") as file:
        file.write(checksum)


def _create(file: h5py.File, types: dict[str, ArrayType], metadata: dict[str, Any]) -> None:
    text = h5py.string_dtype()
    for name, (dtype, shape) in types.items():
        file.create_dataset(
            name,
            (0, *shape),
            text if dtype is None else dtype,
            maxshape=(None, *shape),
            chunks=(_CHUNK, *shape),
        )
    file.create_dataset("metadata", data=json.dumps(metadata), dtype=text)


def _append(file: h5py.File, table: EmbeddingTable) -> None:
    for name, more in arrays_of(table).items():
        column = file[name]
        start = len(column)
        column.resize(start + len(more), axis=0)
        column[start:] = more


class _Unfailing(io.FileIO):
    """File whose writes never raise, because HDF5 crashes the process if a write fails.

    From the first failure on, writes are kept in memory, since HDF5 may read them again. Call
    `require_written` often, to keep few of them.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "w+")
        self._failure: OSError | None = None
        self._kept: list[tuple[int, bytes]] = []  # position and content

    def require_written(self) -> None:
        """Raise the OSError of the first failure, if there is one."""
        if self._failure:
            raise self._failure

    def write(self, data: Any) -> int:
        position, rest = self.tell(), memoryview(data)
        try:
            while rest and not self._failure:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self._failure = error
        if self._failure:
            self._kept.append((position, bytes(data)))
            self.seek(position + len(data))
        return len(data)

    def truncate(self, size: int | None = None) -> int:
        try:
            return super().truncate(size)
        except OSError as error:
            self._failure = self._failure or error
            return size or 0

    def readinto(self, buffer: Any) -> int:
        if not self._failure:
            return super().readinto(buffer)
        start, view = self.tell(), memoryview(buffer)
        read = super().readinto(view)
        view[read:] = bytes(len(view) - read)
        for position, data in self._kept:
            first, last = max(start, position), min(start + len(view), position + len(data))
            if first < last:
                view[first - start : last - start] = data[first - position : last - position]
        self.seek(start + len(view))
        return len(view)


def read(path: Path) -> EmbeddingTable:
    """Read what `writer` wrote. Raises any exception of the library for other files."""
    with path.open("rb") as file:
        start = file.read(_BLOCK + len(_SIGNATURE))
    if start[_BLOCK:] == _SIGNATURE and not start.startswith(_checksum(path)):
        raise ValueError("it is damaged; its checksum does not match")
    arrays: dict[str, Any] = {}

    def take(name: str, entry: h5py.Dataset | h5py.Group) -> None:
        if isinstance(entry, h5py.Dataset):
            arrays[name] = _read(entry)

    with h5py.File(path, "r") as file:
        file.visititems(take)
    return table_of(arrays)


def _read(column: h5py.Dataset) -> Any:
    if h5py.check_string_dtype(column.dtype) is None:
        return column[()]
    texts = column.asstr()[()]
    return texts.tolist() if column.shape else texts


def _checksum(path: Path) -> bytes:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(_BLOCK)
        while piece := file.read(2**20):
            digest.update(piece)
    return digest.digest()
