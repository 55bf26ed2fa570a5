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
from triplet_train.embeddings.table import METADATA_KEY, Append, EmbeddingTable

_OURS = ("id", "label", "label_name", "embedding")
_ROWS = 8192  # in a row group; smaller groups make files larger and slower to read


@contextmanager
def writer(
    path: Path, width: int, metadata: dict[str, Any], columns: ColumnTypes
) -> Iterator[Append]:
    """Write columns id, label, label_name and embedding (fixed-size list of float32).

    The columns of the images follow, in their types.
    """
    schema = pa.schema(
        {
            "id": pa.string(),
            "label": pa.int64(),
            "label_name": pa.string(),
            "embedding": pa.list_(pa.float32(), width),
            **columns,
        },
        {METADATA_KEY: json.dumps(metadata)},
    )
    waiting: list[pa.Table] = []

    def append(table: EmbeddingTable) -> None:
        numbers = pa.array(np.ascontiguousarray(table.embeddings).reshape(-1), pa.float32())
        vectors = pa.FixedSizeListArray.from_arrays(numbers, width)
        values = [table.ids, table.labels, table.label_names, vectors, *table.columns.values()]
        waiting.append(pa.table(dict(zip(schema.names, values, strict=True)), schema))
        if sum(map(len, waiting)) >= _ROWS:
            flush()

    def flush() -> None:
        file.write_table(pa.concat_tables(waiting).combine_chunks())
        waiting.clear()

    # No dictionaries for ids and embeddings, whose values do not repeat.
    with pq.ParquetWriter(path, schema, use_dictionary=["label", "label_name", *columns]) as file:
        yield append
        if waiting:
            flush()


def read(path: Path) -> EmbeddingTable:
    """Read what `writer` wrote. Raises any exception of the library for other files."""
    arrow = pq.read_table(path)
    vectors = arrow["embedding"].combine_chunks()
    if not pa.types.is_fixed_size_list(vectors.type):
        raise ValueError(f"embedding is {vectors.type}, not a fixed-size list of float32")
    return EmbeddingTable(
        vectors.flatten().to_numpy().reshape(-1, vectors.type.list_size),
        arrow["label"].to_numpy(),
        arrow["label_name"].to_pylist(),
        arrow["id"].to_pylist(),
        json.loads(arrow.schema.metadata[METADATA_KEY.encode()]),
        columns={
            name: arrow[name].combine_chunks() for name in arrow.column_names if name not in _OURS
        },
    )
