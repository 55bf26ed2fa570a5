"""Writing and reading of embedding files in every format."""

import errno
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from triplet_train.data.columns import ColumnTypes, types_of
from triplet_train.embeddings.output import SUFFIXES, format_of, part_name
from triplet_train.embeddings.scan import Scan, scan_of
from triplet_train.embeddings.table import Append, EmbeddingTable, concatenated
from triplet_train.errors import RequestError, RunError
from triplet_train.files import first_line, replacing
from triplet_train.registry import either

# errno of the OSErrors that damaged content causes: in libraries, and at a negative position.
_OF_DAMAGE = (None, errno.EINVAL)
OF_A_SHARD = ("shard", "shards_of")  # metadata
Writer = Callable[[Path, int, dict[str, Any], ColumnTypes], AbstractContextManager[Append]]
Reader = Callable[[Path], EmbeddingTable]


def _module(format: str) -> ModuleType:
    return import_module(f"triplet_train.embeddings.formats.{format}")


@contextmanager
def writing(
    path: Path,
    format: str,
    width: int,
    metadata: dict[str, Any],
    columns: ColumnTypes | None = None,
) -> Iterator[Append]:
    """Yield a function that appends a table to a file. Only one table has to fit in memory.

    The file is renamed to `path` at the end: it is complete or does not exist.

    Args:
        width: D, the dimensions of the vectors.
        metadata: of the file; that of the tables is ignored.
        columns: of all tables, which may be none.
    """
    writer: Writer = _module(format).writer
    with replacing(path) as beside, writer(beside, width, metadata, columns or {}) as append:
        yield append


@contextmanager
def writing_all(
    files: Mapping[Path, str],
    width: int,
    metadata: dict[str, Any],
    columns: ColumnTypes | None = None,
) -> Iterator[Append]:
    """Yield a function that appends a table to several files, path -> format. See `writing`."""
    with ExitStack() as stack:
        appends = [
            stack.enter_context(writing(path, format, width, metadata, columns))
            for path, format in files.items()
        ]

        def append(table: EmbeddingTable) -> None:
            for append_to_one in appends:
                append_to_one(table)

        yield append


def list_exports(folder: Path, format: str) -> None:
    """Write a list of all exports in a folder, if the format needs one."""
    module = _module(format)
    if hasattr(module, "list_exports"):
        module.list_exports(folder)


def write_table(table: EmbeddingTable, path: Path, format: str) -> None:
    """Write a whole table. See `writing`."""
    width, columns = table.embeddings.shape[1], types_of(table.columns)
    with writing(path, format, width, table.metadata, columns) as append:
        append(table)


def read_table(path: Path) -> EmbeddingTable:
    """Read the table in an embedding file, or in a folder with all its shards.

    Raises:
        RequestError: no such file, not an embedding file, or shards that are incomplete or of
            different exports.
        RunError: the disk fails.
    """
    files = _files_of(path)
    tables = []
    for file in files:
        read: Reader = _module(file.suffix[1:]).read
        with _damage_refused(file):
            tables.append(read(file))
            _require_whole(tables[-1])
    if not path.is_dir():
        return tables[0]
    metadata = _shared_metadata(path, files, [table.metadata for table in tables])
    return replace(concatenated(tables), metadata=metadata)


def read_batches(path: Path) -> Iterator[EmbeddingTable]:
    """Yield the table in an embedding file, or in a folder with all its shards, in parts.

    Parquet files are read a row group at a time; other formats are one part.

    Raises:
        RequestError, RunError: see `read_table`.
    """
    files = _files_of(path)
    module = _module(files[0].suffix[1:])
    if not hasattr(module, "batches"):
        yield read_table(path)
        return
    with _damage_refused(path):
        abouts = [module.read_metadata(file) for file in files]
    metadata = _shared_metadata(path, files, abouts) if path.is_dir() else abouts[0]
    for file in files:
        with _damage_refused(file):
            for table in module.batches(file):
                _require_whole(table)
                yield replace(table, metadata=metadata)


def scan_table(path: Path) -> Scan:
    """Open an embedding file, or a folder with all its shards, to search it.

    Of a Parquet file only the schema is read now; of other formats, everything.

    Raises:
        RequestError, RunError: see `read_table`.
    """
    files = _files_of(path)
    module = _module(files[0].suffix[1:])
    if not hasattr(module, "scan"):
        return scan_of(read_table(path), files)
    with _damage_refused(path):
        scan: Scan = module.scan(files)
        abouts = [module.read_metadata(file) for file in files]
    metadata = _shared_metadata(path, files, abouts) if path.is_dir() else abouts[0]

    def blocks() -> Iterator[np.ndarray]:
        with _damage_refused(path):
            for block in scan.blocks():
                if not np.isfinite(block).all():
                    raise ValueError("embeddings are not finite")
                yield block

    return replace(scan, metadata=metadata, blocks=blocks)


def _files_of(path: Path) -> list[Path]:
    """Return an embedding file, or all shards in a folder. Raises RequestError."""
    format = format_of(path)
    if format is None:
        raise RequestError(f"{path}: expected an embedding file that ends in {either(SUFFIXES)}")
    if not path.is_dir():
        if not path.is_file():
            raise RequestError(f"no embedding file {path}")
        return [path]
    names = sorted(file.name for file in path.glob("part-*"))
    numbers = range(1, len(names) + 1)
    whole = [part_name((number, len(names)), format) for number in numbers]
    if not names or names != whole:
        raise RequestError(
            f"{path} does not hold all shards of an export; it holds "
            f"{len(names)}: {', '.join(names[:5])}{' ...' if len(names) > 5 else ''}"
        )
    return [path / name for name in names]


@contextmanager
def _damage_refused(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # libraries raise all kinds of errors for damaged files
        if isinstance(error, OSError) and error.errno not in _OF_DAMAGE:
            raise RunError(f"{path} cannot be read: {error.strerror}") from error
        raise RequestError(
            f"{path} is not an embedding file of triplet-train: {first_line(error)}"
        ) from error


def _shared_metadata(
    folder: Path, files: list[Path], abouts: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return the metadata of all shards. Raises RequestError for shards of different exports."""
    for file, about in zip(files, abouts, strict=True):
        if _same_everywhere(about) != _same_everywhere(abouts[0]):
            raise RequestError(
                f"{folder} holds shards of different exports: {files[0].name} and {file.name} are "
                "not of the same images and the same checkpoint, or one was embedded with --flip "
                "or another --dtype"
            )
    return {key: value for key, value in abouts[0].items() if key not in OF_A_SHARD}


def _same_everywhere(about: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata that all shards of an export share, on any machine.

    Checkpoints are compared by their SHA-256, the images of a folder by a digest of their paths and
    labels. The digest does not depend on pixels: an overwritten image does not change it.
    """
    own = {"shard", "checkpoint"}
    if "shards_of" in about and str(about.get("dataset")).startswith("/"):
        own.add("dataset")
    return {key: value for key, value in about.items() if key not in own}


def _require_whole(table: EmbeddingTable) -> None:
    """Raise ValueError for shapes or types that differ from those of `EmbeddingTable`."""
    vectors, labels = table.embeddings, table.labels
    if vectors.ndim != 2 or not vectors.shape[1] or vectors.dtype != np.float32:
        raise ValueError(f"embeddings are {vectors.dtype} {vectors.shape}, not float32 [N, D]")
    if labels.shape != vectors.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"labels are {labels.dtype} {labels.shape}, not {len(vectors)} integers")
    for name, column in (("label_names", table.label_names), ("ids", table.ids)):
        if not (isinstance(column, list) and all(isinstance(text, str) for text in column)):
            raise ValueError(f"{name} are not all text")
        if len(column) != len(vectors):
            raise ValueError(f"there are {len(vectors)} vectors and {len(column)} {name}")
    for name, values in table.columns.items():
        if len(values) != len(vectors):
            raise ValueError(f"there are {len(vectors)} vectors and {len(values)} {name}")
    if not isinstance(table.metadata, dict):
        raise ValueError("metadata is not a JSON object")
    if not np.isfinite(vectors).all():
        raise ValueError("embeddings are not finite")
