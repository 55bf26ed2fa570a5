"""Files of single queries: their nearest images, and their metrics."""

import io
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from triplet_train.embeddings.output import format_of
from triplet_train.embeddings.table import EmbeddingTable
from triplet_train.evaluation.tables import TableEvaluation
from triplet_train.files import replacing


def write_neighbours(evaluated: TableEvaluation, path: Path, most: int) -> None:
    """Write a row for each of the nearest images of each query, by rank; see `_write`.

    They are those of the re-ranked list, with the distance of re-ranking, if there is one.

    Args:
        most: neighbours of a query.
    """
    result = evaluated.result.reranked or evaluated.result
    searched = evaluated.gallery or evaluated.queries
    neighbours = result.neighbours[:, :most]
    queries, ranks = np.nonzero(neighbours >= 0)  # a query may have fewer to search
    asking, found = result.query_indices[queries], neighbours[queries, ranks]
    labels = evaluated.queries.labels[asking], searched.labels[found]
    columns = {
        "query": _ids(evaluated.queries, asking),
        "rank": pa.array(ranks + 1),
        "gallery": _ids(searched, found),
        "distance": pa.array(result.neighbour_distances[queries, ranks]),
        "same": pa.array(labels[0] == labels[1]),
        "query_class": _names(evaluated, labels[0]),
        "gallery_class": _names(evaluated, labels[1]),
    }
    _write(pa.table(columns), path)


def write_per_query(evaluated: TableEvaluation, path: Path) -> None:
    """Write a row for each query with the metrics that are means over queries; see `_write`.

    Metrics of a re-ranked list have names such as reranked_recall_at_1.
    """
    result = evaluated.result
    columns = {
        "id": _ids(evaluated.queries, result.query_indices),
        "class": _names(evaluated, evaluated.queries.labels[result.query_indices]),
        **{name: pa.array(values) for name, values in result.per_query.items()},
    }
    if result.reranked is not None:
        for name, values in result.reranked.per_query.items():
            columns[f"reranked_{name}"] = pa.array(values)
    _write(pa.table(columns), path)


def _ids(table: EmbeddingTable, rows: np.ndarray) -> pa.Array:
    return pa.array(table.ids, pa.string()).take(pa.array(rows))


def _names(evaluated: TableEvaluation, labels: np.ndarray) -> pa.Array:
    """Names of classes; empty for an image without a label."""
    known, places = np.unique(labels, return_inverse=True)
    names = ["" if label < 0 else evaluated.class_names[label] for label in known.tolist()]
    return pa.array(names, pa.string()).take(pa.array(places))


def _write(table: pa.Table, path: Path) -> None:
    """Write a table as Parquet, or as an array per column; see `replacing`.

    Args:
        path: ends in one of `embeddings.output.SUFFIXES`.
    """
    with replacing(path) as beside:
        if format_of(path) == "parquet":
            pq.write_table(table, beside)
            return
        arrays: dict[str, Any] = {name: _array(table[name]) for name in table.column_names}
        if format_of(path) == "npz":
            np.savez(beside, **arrays)
            return
        content = io.BytesIO()  # HDF5 crashes if the disk is full
        with h5py.File(content, "w") as file:
            for name, values in arrays.items():
                if values.dtype.kind == "U":
                    file.create_dataset(name, data=values.tolist(), dtype=h5py.string_dtype())
                else:
                    file.create_dataset(name, data=values)
        beside.write_bytes(content.getbuffer())


def _array(column: pa.ChunkedArray) -> np.ndarray:
    if pa.types.is_string(column.type):
        return np.array(column.to_pylist(), np.str_)
    numbers: np.ndarray = column.to_numpy()
    return numbers
