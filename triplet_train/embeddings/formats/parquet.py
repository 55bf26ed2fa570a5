"""Parquet: a row per vector, the metadata in the schema."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from triplet_train.data.columns import ColumnTypes
from triplet_train.embeddings.small_types import as_float16, as_int8, from_int8
from triplet_train.embeddings.table import METADATA_KEY, Append, EmbeddingTable

_SCALE = "embedding_scale"
_OURS = ("id", "label", "label_name", "embedding", _SCALE)
_TYPES = {"float32": pa.float32(), "float16": pa.float16(), "int8": pa.int8()}
_ROWS = 8192  # in a row group; smaller groups make files larger and slower to read


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
        for group in range(max(1, file.num_row_groups)):
            yield _table(file.read_row_groups([group][: file.num_row_groups]))


def _table(arrow: pa.Table) -> EmbeddingTable:
    vectors = arrow["embedding"].combine_chunks()
    if not pa.types.is_fixed_size_list(vectors.type):
        raise ValueError(f"embedding is {vectors.type}, not a fixed-size list of numbers")
    numbers = vectors.flatten().to_numpy().reshape(-1, vectors.type.list_size)
    if numbers.dtype == np.float16:
        numbers = numbers.astype(np.float32)
    elif numbers.dtype == np.int8:
        numbers = from_int8(numbers, arrow[_SCALE].to_numpy())
    return EmbeddingTable(
        numbers,
        arrow["label"].to_numpy(),
        arrow["label_name"].to_pylist(),
        arrow["id"].to_pylist(),
        json.loads(arrow.schema.metadata[METADATA_KEY.encode()]),
        columns={
            name: arrow[name].combine_chunks() for name in arrow.column_names if name not in _OURS
        },
    )
