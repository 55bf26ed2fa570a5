"""The images that a table lists, with their splits and the lines they stand in."""

import functools
import math
import os
import re
from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from triplet_train.config import DataConfig
from triplet_train.data.boxes import Boxes
from triplet_train.data.columns import Columns, taken
from triplet_train.data.image_files import printable_list, printable_path
from triplet_train.data.images import ImageTable, Stored
from triplet_train.data.labelling import grouping, labelling
from triplet_train.data.listed_items import read_boxes, read_roles
from triplet_train.data.listing import Listing
from triplet_train.data.table_file import LISTED, Kinds, TableFile
from triplet_train.errors import RequestError, RunError

_BOXES = (["x0", "y0", "x1", "y1"], ["x_1", "y_1", "x_2", "y_2"])  # of open-metric-learning, too
# Names of columns and arrays in embedding files.
_TAKEN = {"id", "label", "label_name", "embedding", "group", "role", "metadata", "missing"}
_TAKEN |= {f"{name}s" for name in _TAKEN}
_KINDS: Kinds = {
    "data.columns.box": lambda kind: pa.types.is_floating(kind) or pa.types.is_decimal(kind),
    "data.columns.is_query": pa.types.is_boolean,
    "data.columns.is_gallery": pa.types.is_boolean,
}


@dataclass(frozen=True, kw_only=True)
class TableListing(Listing):
    """The rows of a table in the order of their paths and boxes.

    Attributes:
        file: the table.
        root: the folder that the paths start from.
        splits: object [N], strings that may be empty; None: the table has no such column.
        rows: int64 [N], the place of each row in the table.
        columns: the names of the columns with the paths and boxes.
    """

    file: TableFile
    root: Path
    splits: np.ndarray | None
    rows: np.ndarray
    columns: tuple[str, ...]

    def located(self, table: ImageTable, places: np.ndarray) -> ImageTable:
        """Add line and columns to the messages about images that cannot be read.

        Args:
            places: int64 [N], of the images of `table`.
        """
        try_read, size_of = table.try_read, table.size_of

        def located(row: int, failure: str) -> str:
            place = int(places[row])
            (line,) = self.file.lines([int(self.rows[place])])
            is_whole = self.boxes is None or self.boxes.of(place) is None
            names = self.columns[:1] if is_whole else self.columns
            return f"{self.file}, {line}, {', '.join(names)}: {failure}"

        def try_read_located(rows: np.ndarray) -> tuple[np.ndarray, dict[int, str]]:
            images, failures = try_read(rows)
            return images, {at: located(rows[at], why) for at, why in failures.items()}

        def size_of_located(row: int) -> Stored:
            assert size_of is not None
            try:
                return size_of(row)
            except RunError as error:
                raise RunError(located(row, str(error))) from error

        return replace(table, try_read=try_read_located, size_of=size_of_located)

    def look_for(self, paths: Sequence[str]) -> None:
        """Look for files. Each folder is listed once, which is faster than a call for each file.

        Raises:
            RequestError: files are missing. The message gives their lines.
        """

        root = str(self.root)

        @functools.lru_cache(maxsize=1024)
        def names_in(folder: str) -> Collection[str]:
            try:
                return frozenset(os.listdir(os.path.join(root, folder)))
            except (OSError, ValueError):  # no such folder, or a NUL in its name
                return ()

        missing, last = [], None
        for path in paths:
            if path == last:
                continue
            last = path
            folder, name = os.path.split(path)
            # Some file systems also find names that differ in case or Unicode form.
            if name not in names_in(folder) and not os.path.isfile(os.path.join(root, path)):
                missing.append(path)
        if missing:
            rows = {int(self.rows[bisect_left(self.paths, path)]): path for path in missing}
            first = sorted(rows)[:LISTED]
            files = [printable_path(self.root / rows[row]) for row in first]
            lines = map(": ".join, zip(self.file.lines(first), files, strict=True))
            more = [f"and {len(rows) - LISTED:,} more"] if len(rows) > LISTED else []
            heading = self.file.heading(self.columns[0], "no such file", len(rows))
            raise RequestError("\n  ".join([heading, *lines, *more]))


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

    def has(name: str) -> bool:
        """Return True for a column that the table has, or that the configuration requires."""
        default = type(names).model_fields[name].default
        given = getattr(names, name)
        return given in file.columns or (labelled and given != default)

    corners = names.box
    if corners is None:
        corners = next((known for known in _BOXES if set(known) <= set(file.columns)), [])
    group_of = grouping(data)
    used = ["path"]
    if data.label_pattern is None and (labelled or has("label")):
        used.append("label")
    used += ["split"] if labelled and has("split") else []
    used += ["group"] if group_of is None and has("group") else []
    two = has("is_query") and has("is_gallery")
    role_keys = ["role"] if has("role") else ["is_query", "is_gallery"] if two else []
    role_columns = [getattr(names, name) for name in role_keys]
    keys = [(f"data.columns.{name}", getattr(names, name)) for name in [*used, *role_keys]]
    keys += [("data.columns.box", name) for name in corners]
    texts, further = file.read(keys, _KINDS)

    file.refuse(names.path, "nothing", _blank(texts[names.path]))
    if labelled and "label" in used:
        file.refuse(names.label, "nothing", _blank(texts[names.label]))
    boxes = read_boxes(file, corners, texts) if corners else None
    roles = read_roles(file, role_columns, texts) if role_columns else None

    rows = _order(texts[names.path], boxes)
    sorted_paths = texts[names.path].take(pa.array(rows))
    ids = paths = sorted_paths.to_pylist()
    again = pc.equal(sorted_paths[1:], sorted_paths[:-1]).to_numpy(zero_copy_only=False)
    if boxes:
        boxes = replace(boxes, corners=boxes.corners[rows])
        ids = [_id(*item) for item in zip(paths, boxes.corners.tolist(), strict=True)]
        both = boxes.corners[1:], boxes.corners[:-1]
        again &= np.isclose(*both, rtol=0, atol=0, equal_nan=True).all(1)

    def column(key: str) -> list[str] | None:
        if key not in used:
            return None
        return _shared(texts[getattr(names, key)].take(pa.array(rows)))

    splits = column("split")
    labels = column("label")
    groups = list(map(group_of, paths)) if group_of else column("group")
    if data.label_pattern is not None:
        labels = list(map(labelling(data), paths))
    roles = roles if roles is None else roles[rows]
    twice = np.flatnonzero(again).tolist()
    in_one_split = [at for at in twice if splits is None or splits[at] == splits[at + 1]]
    _refuse_two(file, "label", names.label, labels, twice, ids, rows)
    _refuse_two(file, "group", names.group, groups, twice, ids, rows)
    _refuse_two(file, "role", "".join(role_columns[:1]), roles, in_one_split, ids, rows)
    others, notes = _named(file, further)
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


def _refuse_two(
    file: TableFile,
    key: str,
    column: str,
    values: Sequence[str] | np.ndarray | None,
    twice: list[int],
    ids: list[str],
    rows: np.ndarray,
) -> None:
    """Raise RequestError if an image has two values.

    Args:
        values: N, in the order of `ids`; None: nothing is known.
        twice: places of ids that are equal to the next.
        rows: int64 [N], place in the table.
    """
    wrong = [] if values is None else [at for at in twice if values[at] != values[at + 1]]
    if wrong and values is not None:
        at = wrong[0]
        one, other = file.lines(rows[[at, at + 1]].tolist())
        raise RequestError(
            f"{file}, {one} and {other}: {ids[at]!r} has two {key}s in column {column!r}: "
            f"{values[at]!r} and {values[at + 1]!r}"
            + (f"; so have {len(wrong) - 1:,} others" if len(wrong) > 1 else "")
        )


def _blank(texts: pa.Array) -> np.ndarray:
    blank: np.ndarray = pc.equal(pc.utf8_trim_whitespace(texts), "").to_numpy(zero_copy_only=False)
    return blank


def _order(paths: pa.Array, boxes: Boxes | None) -> np.ndarray:
    """Return the order of the rows by path and box, int64 [N]."""
    if boxes is None:
        order = pc.sort_indices(paths)
        return np.asarray(order, np.int64)
    sides = {str(side): corners for side, corners in enumerate(boxes.corners.T)}
    keys = [(name, "ascending") for name in ("path", *sides)]
    order = pc.sort_indices(pa.table({"path": paths} | sides), sort_keys=keys)
    return np.asarray(order, np.int64)


def _id(path: str, corners: list[float]) -> str:
    """Return the id of an image or of a part of it.

    >>> _id("a.jpg", [0, 0.5, 8, 4]), _id("a.jpg", [float("nan")] * 4)
    ('a.jpg#0,0.5,8,4', 'a.jpg')
    """
    if math.isnan(corners[0]):
        return path
    return f"{path}#{','.join(f'{corner:.10g}' for corner in corners)}"


def _shared(column: pa.Array) -> list[str]:
    """Return a list in which equal texts are one object."""
    encoded = column.dictionary_encode()
    values = encoded.dictionary.to_pylist()
    return [values[code] for code in encoded.indices.to_pylist()]


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
