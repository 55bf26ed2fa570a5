"""A table of embeddings as named arrays and lists of texts, as npz and HDF5 hold it.

A column of numbers or booleans is an array; any other becomes text, as dates and lists do. Where a
further column has no value, its array has 0 or an empty text, and `missing/NAME` is True.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from triplet_train.data.columns import GROUP, ROLE, ColumnTypes
from triplet_train.embeddings.table import EmbeddingTable

Array = np.ndarray | list[str]
# The type of an array and the shape of one of its rows; None: text.
ArrayType = tuple[np.dtype | None, tuple[int, ...]]

_TEXT: ArrayType = (None, ())
_PLURALS = {GROUP: "groups", ROLE: "roles"}  # like labels and ids
_OURS = ("embeddings", "labels", "label_names", "ids", "metadata")
_MISSING = "missing/"


def array_types(width: int, columns: ColumnTypes) -> dict[str, ArrayType]:
    """Return the names of the arrays with their types, in the order of `arrays_of`.

    Args:
        width: D, the dimensions of the vectors.
    """
    types: dict[str, ArrayType] = {
        "embeddings": (np.dtype(np.float32), (width,)),
        "labels": (np.dtype(np.int64), ()),
        "label_names": _TEXT,
        "ids": _TEXT,
    }
    for name, kind in columns.items():
        types[_PLURALS.get(name, name)] = (_number(kind), ())
        if name not in _PLURALS:
            types[_MISSING + name] = (np.dtype(bool), ())
    return types


def arrays_of(table: EmbeddingTable) -> dict[str, Array]:
    """Return the arrays and lists of N texts."""
    arrays: dict[str, Array] = {
        "embeddings": table.embeddings,
        "labels": table.labels,
        "label_names": table.label_names,
        "ids": table.ids,
    }
    for name, values in table.columns.items():
        arrays[_PLURALS.get(name, name)] = _values(values)
        if name not in _PLURALS:
            arrays[_MISSING + name] = values.is_null().to_numpy(zero_copy_only=False)
    return arrays


def table_of(arrays: Mapping[str, Any]) -> EmbeddingTable:
    """Return the table of arrays that were read; texts are lists, and metadata JSON.

    Raises:
        ValueError: an array is not there.
    """
    for name in _OURS:
        if name not in arrays:
            raise ValueError(f"it has no array {name!r}")
    singulars = {plural: name for name, plural in _PLURALS.items()}
    columns = {}
    for name, values in arrays.items():
        if name not in _OURS and not name.startswith(_MISSING):
            column = pa.array(values, pa.string() if isinstance(values, list) else None)
            if _MISSING + name in arrays:
                none = pa.array(arrays[_MISSING + name])
                column = pc.if_else(none, pa.scalar(None, column.type), column)
            columns[singulars.get(name, name)] = column
    return EmbeddingTable(
        arrays["embeddings"],
        arrays["labels"],
        arrays["label_names"],
        arrays["ids"],
        json.loads(arrays["metadata"]),
        columns=columns,
    )


def texts_of(values: pa.Array) -> list[str]:
    """Return any values as texts; an empty one for a missing value."""
    return list(map(_text, values.to_pylist()))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list | dict):
        value = json.dumps(value, ensure_ascii=False, default=str)
    return str(value).replace("\0", "")  # HDF5 cannot hold it


def _number(kind: pa.DataType) -> np.dtype | None:
    """Return the type of numbers or booleans; None for others."""
    types = pa.types
    plain = types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)
    return np.dtype(kind.to_pandas_dtype()) if plain else None


def _values(values: pa.Array) -> Array:
    if _number(values.type) is None:
        return texts_of(values)
    none = pa.scalar(0).cast(values.type)
    numbers: np.ndarray = pc.fill_null(values, none).to_numpy(zero_copy_only=False)
    return numbers
