"""Parquet: a row per vector, the metadata in the schema."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from triplet_train.data.columns import ColumnTypes
from triplet_train.embeddings.scan import BLOCK, Entry, Scan
from triplet_train.embeddings.small_types import as_float16, as_int8, from_int8
from triplet_train.embeddings.table import METADATA_KEY, Append, EmbeddingTable

_SCALE = "embedding_scale"
_OURS = ("id", "label", "label_name", "embedding", _SCALE)
_TYPES = {"float32": pa.float32(), "float16": pa.float16(), "int8": pa.int8()}
_ROWS = 8192  # in a row group; smaller groups make files larger and slower to read
_AHEAD = 2**29  # bytes of vectors that a scan reads ahead


@contextmanager
def writer(
    path: Path, width: int, metadata: dict[str, Any], columns: ColumnTypes
) -> Iterator[Append]:
    """Write columns id, label, label_name and embedding (fixed-size list).

    The vectors are float32, or the type that the metadata name as dtype; int8 has its scales in a
    column embedding_scale. The columns of the images follow, in their types.
    """
    kind = metadata.get("dtype", "float32")
    scaled = kind == "int8"
    schema = pa.schema(
        {
            "id": pa.string(),
            "label": pa.int64(),
            "label_name": pa.string(),
            "embedding": pa.list_(_TYPES[kind], width),
            **({_SCALE: pa.float32()} if scaled else {}),
            **columns,
        },
        {METADATA_KEY: json.dumps(metadata)},
    )
    waiting: list[pa.Table] = []

    def append(table: EmbeddingTable) -> None:
        numbers = table.embeddings
        scales: list[np.ndarray] = []
        if scaled:
            numbers, *scales = as_int8(numbers)
        elif kind == "float16":
            numbers = as_float16(numbers)
        flat = pa.array(np.ascontiguousarray(numbers).reshape(-1), _TYPES[kind])
        vectors = pa.FixedSizeListArray.from_arrays(flat, width)
        ours = [table.ids, table.labels, table.label_names, vectors, *scales]
        values = [*ours, *table.columns.values()]
        waiting.append(pa.table(dict(zip(schema.names, values, strict=True)), schema))
        if sum(map(len, waiting)) >= _ROWS:
            flush()

    def flush() -> None:
        file.write_table(pa.concat_tables(waiting).combine_chunks())
        waiting.clear()

    # No dictionaries for ids and embeddings, whose values do not repeat. Those of int8 do; Parquet
    # would give each of them four bytes.
    repeating = ["label", "label_name", *columns, *(["embedding.list.element"] if scaled else [])]
    with pq.ParquetWriter(path, schema, use_dictionary=repeating) as file:
        yield append
        if waiting:
            flush()


def read(path: Path) -> EmbeddingTable:
    """Read what `writer` wrote. Raises any exception of the library for other files."""
    return _table(pq.read_table(path))


def batches(path: Path) -> Iterator[EmbeddingTable]:
    """Read a row group at a time; of a file without rows, one empty table."""
    with pq.ParquetFile(path) as file:
        if not file.num_row_groups:
            yield _table(file.schema_arrow.empty_table())
        for group in range(file.num_row_groups):
            yield _table(file.read_row_group(group))


def _table(arrow: pa.Table) -> EmbeddingTable:
    return EmbeddingTable(
        _vectors(arrow["embedding"].combine_chunks(), arrow),
        arrow["label"].to_numpy(),
        arrow["label_name"].to_pylist(),
        arrow["id"].to_pylist(),
        _metadata(arrow.schema),
        columns={
            name: arrow[name].combine_chunks() for name in arrow.column_names if name not in _OURS
        },
    )


def read_metadata(path: Path) -> dict[str, Any]:
    """Read the metadata alone. Raises any exception of the library for other files."""
    return _metadata(pq.read_schema(path))


def scan(paths: Sequence[Path]) -> Scan:
    """Open files of the same columns to search them. Arrow's threads read ahead.

    Raises any exception of the library for other files, now or while blocks are read.
    """
    import pyarrow.dataset as ds  # a quarter of a second

    files = ds.dataset([str(path) for path in paths], format="parquet")
    schema = files.schema
    _require_columns(schema)
    width = schema.field("embedding").type.list_size
    columns = [name for name in ("embedding", _SCALE) if name in schema.names]

    def blocks() -> Iterator[np.ndarray]:
        ahead = max(1, _AHEAD // (4 * width * BLOCK))
        for batch in files.to_batches(columns, batch_size=BLOCK, batch_readahead=ahead):
            yield _vectors(batch["embedding"], batch)

    def entries(rows: np.ndarray) -> list[Entry]:
        found = files.take(rows, columns=list(Entry._fields))
        return list(map(Entry, *(found[name].to_pylist() for name in Entry._fields)))

    return Scan(paths, _metadata(schema), files.count_rows(), width, blocks, entries)


def _metadata(schema: pa.Schema) -> dict[str, Any]:
    stored = (schema.metadata or {}).get(METADATA_KEY.encode())
    if stored is None:
        raise ValueError(f"it has no metadata {METADATA_KEY!r}")
    metadata: dict[str, Any] = json.loads(stored)
    return metadata


def _vectors(stored: pa.FixedSizeListArray, rows: pa.Table | pa.RecordBatch) -> np.ndarray:
    """Return the vectors of some rows as they are stored; those in fewer bits as float32."""
    _require_list(stored.type)
    numbers: np.ndarray = stored.flatten().to_numpy().reshape(-1, stored.type.list_size)
    if numbers.dtype == np.float16:
        return numbers.astype(np.float32)
    if numbers.dtype == np.int8:
        return from_int8(numbers, rows[_SCALE].to_numpy())
    return numbers


def _require_columns(schema: pa.Schema) -> None:
    """Raise ValueError or KeyError for columns that are not those of `writer`."""
    vectors = schema.field("embedding").type
    _require_list(vectors)
    if vectors.value_type not in _TYPES.values() or not vectors.list_size:
        raise ValueError(f"embeddings are {vectors}, not float32 [N, D]")
    for name, is_right in (
        ("id", pa.types.is_string),
        ("label_name", pa.types.is_string),
        ("label", pa.types.is_integer),
    ):
        if not is_right(schema.field(name).type):
            raise ValueError(f"{name} is {schema.field(name).type}")


def _require_list(kind: pa.DataType) -> None:
    if not pa.types.is_fixed_size_list(kind):
        raise ValueError(f"embedding is {kind}, not a fixed-size list of numbers")
