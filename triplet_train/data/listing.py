"""A table of images: paths with labels and splits."""

import functools
import os
from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from triplet_train.config import DataConfig
from triplet_train.data.image_files import printable_path
from triplet_train.data.labelling import labelling
from triplet_train.data.table_file import TableFile
from triplet_train.errors import RequestError

_LISTED = 5  # rows in an error message


@dataclass(frozen=True)
class Listing:
    """The rows of a table in the order of their paths.

    Attributes:
        file: the table.
        root: the folder that the paths start from.
        paths: N strings, of which equal ones have equal labels.
        labels: N strings; empty for an image without a label.
        splits: object [N], strings that may be empty; None: the table has no such column.
        rows: int64 [N], the place of each row in the table.
        path_column: the name of the column with the paths.
    """

    file: TableFile
    root: Path
    paths: list[str]
    labels: list[str]
    splits: np.ndarray | None
    rows: np.ndarray
    path_column: str

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

        missing = []
        for path in paths:
            folder, name = os.path.split(path)
            # Some file systems also find names that differ in case or Unicode form.
            if name not in names_in(folder) and not os.path.isfile(os.path.join(root, path)):
                missing.append(path)
        if missing:
            rows = {int(self.rows[bisect_left(self.paths, path)]): path for path in missing}
            first = sorted(rows)[:_LISTED]
            files = [printable_path(self.root / rows[row]) for row in first]
            lines = map(": ".join, zip(self.file.lines(first), files, strict=True))
            more = [f"and {len(rows) - _LISTED:,} more"] if len(rows) > _LISTED else []
            heading = _heading(self.file, self.path_column, "no such file", len(rows))
            raise RequestError("\n  ".join([heading, *lines, *more]))


def read_listing(
    path: Path, data: DataConfig, *, key: str = "data.path", labelled: bool = True
) -> Listing:
    """Read a table of images.

    Args:
        data: columns, root and label_pattern are used.
        key: names the table in errors.
        labelled: require labels, and read the splits.

    Raises:
        RequestError: no such file, table or column; an empty path or label; a path with two labels.
    """
    file, names = TableFile(path, key), data.columns
    columns = {"data.columns.path": names.path}
    if data.label_pattern is None and (labelled or names.label in file.columns):
        columns["data.columns.label"] = names.label
    default = type(names).model_fields["split"].default
    has_split = labelled and (names.split != default or default in file.columns)
    if has_split:
        columns["data.columns.split"] = names.split
    texts = {name: pc.fill_null(text, "") for name, text in file.read(columns).items()}
    order = pc.sort_indices(texts[names.path])
    rows = order.to_numpy()
    sorted_paths = texts[names.path].take(order)
    _refuse_blank(file, names.path, sorted_paths, rows)
    paths = sorted_paths.to_pylist()
    if data.label_pattern is not None:
        labels = list(map(labelling(data), paths))
    elif "data.columns.label" in columns:
        column = texts[names.label].take(order)
        if labelled:
            _refuse_blank(file, names.label, column, rows)
        _refuse_two_labels(file, names.label, sorted_paths, column, rows)
        labels = _shared(column)
    else:
        labels = [""] * len(paths)
    splits = None
    if has_split:
        splits = np.array(_shared(texts[names.split].take(order)), object)
    root = Path(data.root) if data.root else path.parent
    return Listing(file, root, paths, labels, splits, rows, names.path)


def _shared(column: pa.Array) -> list[str]:
    """Return a list in which equal texts are one object."""
    encoded = column.dictionary_encode()
    values = encoded.dictionary.to_pylist()
    return [values[code] for code in encoded.indices.to_pylist()]


def _refuse_blank(file: TableFile, name: str, column: pa.Array, rows: np.ndarray) -> None:
    blank = pc.equal(pc.utf8_trim_whitespace(column), "").to_numpy(zero_copy_only=False)
    if blank.any():
        wrong = sorted(rows[blank].tolist())
        lines = ", ".join(file.lines(wrong[:_LISTED])) + " ..." * (len(wrong) > _LISTED)
        raise RequestError(f"{_heading(file, name, 'nothing', len(wrong))} {lines}")


def _refuse_two_labels(
    file: TableFile, name: str, paths: pa.Array, labels: pa.Array, rows: np.ndarray
) -> None:
    """Raise RequestError if a path has two labels; equal paths follow each other."""
    same = pc.and_(pc.equal(paths[1:], paths[:-1]), pc.not_equal(labels[1:], labels[:-1])).to_numpy(
        zero_copy_only=False
    )
    wrong = np.flatnonzero(same)
    if not len(wrong):
        return
    first = wrong[0]
    (one,), (other,) = (file.lines([row]) for row in rows[[first, first + 1]].tolist())
    raise RequestError(
        f"{file}, {one} and {other}: {paths[first].as_py()!r} has two labels in column {name!r}: "
        f"{labels[first].as_py()!r} and {labels[first + 1].as_py()!r}"
        + (f"; so have {len(wrong) - 1:,} others" if len(wrong) > 1 else "")
    )


def _heading(file: TableFile, name: str, what: str, count: int) -> str:
    return f"{file}: {count:,} rows have {what} in column {name!r}:"
