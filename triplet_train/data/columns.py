"""Columns of images beside label and id: group, role and further columns of a table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # a fifth of a second to import, and most data sets have no columns
    import pyarrow as pa

GROUP = "group"  # text: camera, sequence or day; empty for an image without one
ROLE = "role"  # text, one of ROLES
ROLES = ("query", "gallery", "both")

Columns = dict[str, "pa.Array"]
ColumnTypes = dict[str, "pa.DataType"]


def types_of(columns: Columns) -> ColumnTypes:
    """Return the type of each column."""
    return {name: values.type for name, values in columns.items()}


def taken(columns: Columns, rows: np.ndarray) -> Columns:
    """Return the values of some rows, int64 [n], in the given order."""
    return {name: values.take(rows) for name, values in columns.items()}


def joined(parts: Sequence[Columns]) -> Columns:
    """Join the rows of parts that have the same columns."""
    if not parts[0]:
        return {}
    import pyarrow as pa

    return {name: pa.concat_arrays([part[name] for part in parts]) for name in parts[0]}
