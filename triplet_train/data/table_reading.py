"""Reading of tables of images."""

import difflib
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from triplet_train.config import DataConfig
from triplet_train.data.boxes import Boxes
from triplet_train.data.columns import Columns, taken
from triplet_train.data.image_files import printable_list
from triplet_train.data.labelling import grouping, labelling
from triplet_train.data.listed_items import read_boxes, read_roles
from triplet_train.data.table_file import Kinds, TableFile
from triplet_train.data.table_listing import TableListing
from triplet_train.errors import RequestError

_BOXES = (["x0", "y0", "x1", "y1"], ["x_1", "y_1", "x_2", "y_2"])  # of open-metric-learning, too
# Names of columns and arrays in embedding files.
_TAKEN = {"id", "label", "label_name", "embedding", "embedding_scale", "content", "group", "role"}
_TAKEN |= {"metadata", "missing"}
_TAKEN |= {f"{name}s" for name in _TAKEN}
_AT_ONCE = 10_000  # rows of boxes that become Python's numbers
_KINDS: Kinds = {
    "data.columns.box": lambda kind: pa.types.is_floating(kind) or pa.types.is_decimal(kind),
    "data.columns.is_query": pa.types.is_boolean,
    "data.columns.is_gallery": pa.types.is_boolean,
}


def read_listing(
    path: Path, data: DataConfig, *, key: str = "data.path", labelled: bool = True
) -> TableListing:
    """Read a table of images.

    Args:
        data: columns, root and label_pattern are used.
        key: names the table in errors.
        labelled: require labels, and read the splits.

    Raises:
        RequestError: no such file, table or column; an empty path or label; an image with two
            labels, groups or roles; see also `read_boxes` and `read_roles`.
    """
    file, names = TableFile(path, key), data.columns
    used, role_keys, corners = _chosen(file, data, labelled)
    role_columns = [getattr(names, key) for key in role_keys]
    keys = [(f"data.columns.{key}", getattr(names, key)) for key in [*used, *role_keys]]
    texts, further = file.read([*keys, *(("data.columns.box", name) for name in corners)], _KINDS)
    for key in ("path", "label") if labelled and "label" in used else ("path",):
        name = getattr(names, key)
        file.refuse(name, "nothing", _blank(texts[name]))
    boxes = read_boxes(file, corners, texts) if corners else None
    roles = read_roles(file, role_columns, texts) if role_columns else None

    # Two roles of an image in one split then follow each other, too.
    splits_of_roles = None if roles is None else texts.get(names.split)
    rows = _order(texts[names.path], boxes, splits_of_roles)
    in_order = {name: column.take(pa.array(rows)) for name, column in texts.items()}
    boxes = boxes and replace(boxes, corners=boxes.corners[rows])
    roles = roles if roles is None else roles[rows]
    paths = _shared(in_order[names.path]) if boxes else in_order[names.path].to_pylist()
    ids = list(map(_id, paths, _each(boxes.corners))) if boxes else paths
    splits, labels, groups = (
        _shared(in_order[getattr(names, key)]) if key in used else None
        for key in ("split", "label", "group")
    )
    if data.label_pattern is not None:
        labels = list(map(labelling(data), paths))
    if group_of := grouping(data):
        groups = list(map(group_of, paths))

    twice = _repeated(in_order[names.path], boxes)
    in_one_split = [at for at in twice if splits is None or splits[at] == splits[at + 1]]
    parts = (
        "" if boxes else "If these are parts of it, name the columns of boxes in data.columns.box"
    )
    _refuse_two(file, "label", names.label, labels, twice, ids, rows, parts)
    _refuse_two(file, "group", names.group, groups, twice, ids, rows)
    _refuse_two(file, "role", "".join(role_columns[:1]), roles, in_one_split, ids, rows)
    others, notes = _named(file, further)
    notes += _resembling(file, data, [name for name, _ in further])
    if boxes:
        unit = "pixels" if boxes.in_pixels else "fractions of the images"
        notes.insert(0, f"images are cut to the boxes in columns {', '.join(corners)}, in {unit}")
    return TableListing(
        file=file,
        root=Path(data.root) if data.root else path.parent,
        ids=ids,
        paths=paths,
        labels=labels or [""] * len(paths),
        splits=None if splits is None else np.array(splits, object),
        roles=roles,
        groups=groups,
        boxes=boxes,
        others=taken(others, rows),
        rows=rows,
        columns=(names.path, *corners),
        notes=notes,
    )


def _chosen(
    file: TableFile, data: DataConfig, labelled: bool
) -> tuple[list[str], list[str], Sequence[str]]:
    """Choose the columns to read.

    Returns:
        Keys of data.columns that are read as they are, those of the roles, and the names of the
        columns with the corners of boxes.
    """
    names = data.columns

    def has(key: str) -> bool:
        """Return True for a column that the table has, or that the configuration requires."""
        default, given = type(names).model_fields[key].default, getattr(names, key)
        return given in file.columns or (labelled and given != default)

    used = ["path"]
    if data.label_pattern is None and (labelled or has("label")):
        used.append("label")
    if labelled and has("split"):
        used.append("split")
    if grouping(data) is None and has("group"):
        used.append("group")
    two = ["is_query", "is_gallery"]
    roles = ["role"] if has("role") else two if any(map(has, two)) else []
    known = (box for box in _BOXES if set(box) <= set(file.columns))
    return used, roles, next(known, ()) if names.box is None else names.box


def _refuse_two(
    file: TableFile,
    key: str,
    column: str,
    values: Sequence[str] | np.ndarray | None,
    twice: list[int],
    ids: list[str],
    rows: np.ndarray,
    hint: str = "",
) -> None:
    """Raise RequestError if an image has two values.

    Args:
        values: N, in the order of `ids`; None: nothing is known.
        twice: places of ids that are equal to the next.
        rows: int64 [N], place in the table.
        hint: a sentence for the user.
    """
    wrong = [] if values is None else [at for at in twice if values[at] != values[at + 1]]
    if wrong and values is not None:
        at = wrong[0]
        one, other = file.lines(rows[[at, at + 1]].tolist())
        raise RequestError(
            f"{file}, {one} and {other}: {ids[at]!r} has two {key}s in column {column!r}: "
            f"{values[at]!r} and {values[at + 1]!r}"
            + (f"; so have {len(wrong) - 1:,} others" if len(wrong) > 1 else "")
            + (f". {hint}" if hint else "")
        )


def _blank(texts: pa.Array) -> np.ndarray:
    blank: np.ndarray = pc.equal(pc.utf8_trim_whitespace(texts), "").to_numpy(zero_copy_only=False)
    return blank


def _order(paths: pa.Array, boxes: Boxes | None, splits: pa.Array | None) -> np.ndarray:
    """Return the order of the rows by path, box and split, int64 [N]."""
    columns = {"path": paths}
    if boxes:
        columns |= {str(side): corners for side, corners in enumerate(boxes.corners.T)}
    if splits is not None:
        columns["split"] = splits
    keys = [(name, "ascending") for name in columns]
    return np.asarray(pc.sort_indices(pa.table(columns), sort_keys=keys), np.int64)


def _repeated(paths: pa.Array, boxes: Boxes | None) -> list[int]:
    """Return the places of images that are the same as the next."""
    same = pc.equal(paths[1:], paths[:-1]).to_numpy(zero_copy_only=False)
    if boxes:
        one, other = boxes.corners[1:], boxes.corners[:-1]
        same = same & ((one == other) | np.isnan(one) & np.isnan(other)).all(1)
    places: list[int] = np.flatnonzero(same).tolist()
    return places


def _id(path: str, corners: list[float]) -> str:
    """Return the id of an image or of a part of it.

    >>> _id("a.jpg", [0, 0.5, 8, 4]), _id("a.jpg", [float("nan")] * 4)
    ('a.jpg#0,0.5,8,4', 'a.jpg')
    """
    if math.isnan(corners[0]):
        return path
    return f"{path}#{','.join(f'{corner:.10g}' for corner in corners)}"


def _each(corners: np.ndarray) -> Iterator[list[float]]:
    """Yield the rows as lists, of which few exist at a time: those of a million take 200 MB."""
    for first in range(0, len(corners), _AT_ONCE):
        yield from corners[first : first + _AT_ONCE].tolist()


def _shared(column: pa.Array) -> list[str]:
    """Return a list in which equal texts are one object."""
    encoded = column.dictionary_encode()
    values = encoded.dictionary.to_pylist()
    return [values[code] for code in encoded.indices.to_pylist()]


def _resembling(file: TableFile, data: DataConfig, further: list[str]) -> list[str]:
    """Return notes on further columns whose names are nearly those of a missing column."""
    missing = {"label": data.label_pattern is None, "group": grouping(data) is None, "role": True}
    notes = []
    for key, wanted in missing.items():
        name = getattr(data.columns, key)
        near = difflib.get_close_matches(name, further, n=1, cutoff=0.75)
        if wanted and near and name not in file.columns:
            notes.append(
                f"{file} has no column {name!r}, but {near[0]!r}; if that is the {key}, name it in "
                f"data.columns.{key}, or {name!r} in the table"
            )
    return notes


def _named(file: TableFile, columns: list[tuple[str, pa.Array]]) -> tuple[Columns, list[str]]:
    """Give further columns names that embedding files can have; say in notes which changed."""
    named: Columns = {}
    renamed = []
    for given, values in columns:
        name = re.sub(r"[/\0]", "_", given).strip(".") or "unnamed"
        while name in _TAKEN or name in named:
            name += "_"
        named[name] = values
        if name != given:
            renamed.append(f"{given!r} is {name!r}")
    if not renamed:
        return named, []
    return named, [f"columns of {file} in embedding files: {printable_list(renamed)}"]
