"""Parquet: a row per vector, the metadata in the schema."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from triplet_train.embeddings.table import METADATA_KEY, EmbeddingTable


def write(table: EmbeddingTable, path: Path) -> None:
    """Columns id, label, label_name and embedding (fixed-size list of float32)."""
    width = table.embeddings.shape[1]
    values = pa.array(np.ascontiguousarray(table.embeddings).reshape(-1), pa.float32())
    columns = {
        "id": pa.array(table.ids, pa.string()),
        "label": pa.array(table.labels, pa.int64()),
        "label_name": pa.array(table.label_names, pa.string()),
        "embedding": pa.FixedSizeListArray.from_arrays(values, width),
    }
    arrow = pa.table(columns).replace_schema_metadata({METADATA_KEY: json.dumps(table.metadata)})
    pq.write_table(arrow, path)


def read(path: Path) -> EmbeddingTable:
    """The inverse of `write`. Raises OSError, ValueError or KeyError for any other file."""
    arrow = pq.read_table(path)
    vectors = arrow["embedding"].combine_chunks()
    return EmbeddingTable(
        vectors.flatten().to_numpy().reshape(len(vectors), -1),
        arrow["label"].to_numpy(),
        arrow["label_name"].to_pylist(),
        arrow["id"].to_pylist(),
        json.loads(arrow.schema.metadata[METADATA_KEY.encode()]),
    )
