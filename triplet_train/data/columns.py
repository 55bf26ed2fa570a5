"""Columns of images beside label and id: group, role and further columns of a table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # a fifth of a second to import, and most data sets have no columns
    import pyarrow as pa

GROUP = "group"  # text: camera, sequence or day; empty for an image without one
ROLE = "role"  # text, one of ROLES
CONTENT = "content"  # text: digest of the file, see `contents`; null where it is unknown
ROLES = (QUERY, GALLERY, BOTH) = ("query", "gallery", "both")
_NOTHING = {GROUP: "", ROLE: BOTH}  # of an image for which nothing is said

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


def fitted(columns: Columns, types: ColumnTypes, rows: np.ndarray) -> Columns:
    """Return some rows, int64 [n], of all columns of `types`.

    Where a column is missing it is null, but for groups and roles, which have a value for that.
    """
    if not types:
        return {}
    import pyarrow as pa
    import pyarrow.compute as pc

    found: Columns = {}
    for name, kind in types.items():
        values = columns[name].take(rows) if name in columns else pa.nulls(len(rows))
        values = values.cast(kind, safe=False)  # whole numbers above 2^53 may become fractions
        found[name] = pc.fill_null(values, _NOTHING[name]) if name in _NOTHING else values
    return found


def evaluation_columns(
    groups: Sequence[str] | None, roles: np.ndarray | None, distractors: np.ndarray
) -> Columns:
    """Return columns of groups and roles, without one that says nothing.

    Args:
        groups: N texts; None: no image has one.
        roles: object [N]; None: all are `both`.
        distractors: bool [N], True for images whose role is `gallery` in any case.
    """
    columns: Columns = {}
    if roles is None:
        roles = np.full(len(distractors), BOTH, object)
    given = {GROUP: groups or (), ROLE: np.where(distractors, GALLERY, roles).tolist()}
    for name, nothing in _NOTHING.items():
        if any(text != nothing for text in given[name]):
            import pyarrow as pa

            columns[name] = pa.array(given[name], pa.string())
    return columns


def roles_of(columns: Columns, count: int) -> np.ndarray:
    """Return the role of each of `count` images, object [N]; `both` without such a column."""
    if ROLE in columns:
        roles: np.ndarray = columns[ROLE].to_numpy(zero_copy_only=False)
        return roles
    return np.full(count, BOTH, object)


def distractors(labels: np.ndarray, columns: Columns) -> np.ndarray:
    """Return True, bool [N], for images without a class that are in the gallery only.

    Args:
        labels: int64 [N]; -1 for an image without a class.
    """
    found: np.ndarray = (labels < 0) & (roles_of(columns, len(labels)) == GALLERY)
    return found
