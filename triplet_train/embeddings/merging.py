"""Embedding files joined to one. Memory is that of the ids and of a few row groups of Parquet."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from triplet_train.data.columns import ColumnTypes, fitted, types_of
from triplet_train.embeddings.common_labels import Classes, classes_of, common_labels, relabelled
from triplet_train.embeddings.files import OF_A_SHARD, read_batches
from triplet_train.embeddings.origin import Origin, origin_of, require_one_store
from triplet_train.embeddings.table import EmbeddingTable
from triplet_train.errors import RequestError

_OF_IMAGES = ("dataset", "split", "classes")  # metadata that files of one tower may differ in


@dataclass(frozen=True)
class MergedFiles:
    """Rows of several files as those of one.

    Attributes:
        files: in the order of their rows.
        metadata: of the first; null where the files hold images of different origins.
        width: D, the dimensions of the vectors.
        columns: those of all files.
        labels: the common label of each class.
        kept: bool, of all rows of all files; False for a row whose id occurs again later.
        replaced: file -> how many of its rows are not kept.
    """

    files: Sequence[Path]
    metadata: dict[str, Any]
    width: int
    columns: ColumnTypes
    labels: dict[str, int]
    kept: np.ndarray
    replaced: dict[Path, int]

    def tables(
        self, progress: Callable[[int], object] = lambda rows: None
    ) -> Iterator[EmbeddingTable]:
        """Yield the rows that are kept, with common labels and all columns."""
        start = 0
        for file in self.files:
            for table in read_batches(file):
                rows = np.flatnonzero(self.kept[start : start + len(table.ids)])
                start += len(table.ids)
                if len(rows):
                    yield self._fitted(table, rows)
                progress(len(table.ids))

    def _fitted(self, table: EmbeddingTable, rows: np.ndarray) -> EmbeddingTable:
        # A label without a name is its own name, which another label would change.
        names = zip(table.label_names, table.labels.tolist(), strict=True)
        named = [name or (str(label) if label >= 0 else "") for name, label in names]
        changed = relabelled(table, self.labels)
        return replace(
            changed,
            embeddings=changed.embeddings[rows],
            labels=changed.labels[rows],
            label_names=[named[row] for row in rows.tolist()],
            ids=[changed.ids[row] for row in rows.tolist()],
            columns=fitted(changed.columns, self.columns, rows),
        )


def merged(files: Sequence[Path]) -> MergedFiles:
    """Join the rows of files of one checkpoint, of which some may be folders of shards.

    A class has its label in the first file with that name. Of rows with the same id the last is
    kept. A column that a file does not have is null there; `group` is empty, and `role` is `both`.

    Raises:
        RequestError: see `read_table` and `require_one_store`; or a column has different types.
    """
    origins: dict[Path, Origin] = {}
    columns: dict[Path, ColumnTypes] = {}
    classes: list[Classes] = []
    last: dict[str, int] = {}
    ends = [0]
    for file in files:
        some: Classes = set()
        total = ends[-1]
        for table in read_batches(file):
            origins[file], columns[file] = origin_of(table), types_of(table.columns)
            some |= classes_of(table)
            last.update(zip(table.ids, range(total, total + len(table.ids)), strict=True))
            total += len(table.ids)
        classes.append(some)
        ends.append(total)
    require_one_store(origins)
    kept = np.zeros(ends[-1], bool)
    kept[list(last.values())] = True
    parts = np.split(~kept, ends[1:-1])
    abouts = [origin.metadata for origin in origins.values()]
    return MergedFiles(
        files,
        _common(abouts),
        origins[files[0]].width,
        _united(columns),
        common_labels(classes),
        kept,
        {file: int(part.sum()) for file, part in zip(files, parts, strict=True) if part.any()},
    )


def _common(abouts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    first = {key: value for key, value in abouts[0].items() if key not in OF_A_SHARD}
    differ = [key for key in _OF_IMAGES if any(a.get(key) != first.get(key) for a in abouts)]
    return first | dict.fromkeys(differ)


def _united(columns: dict[Path, ColumnTypes]) -> ColumnTypes:
    """Return the columns of all files, in types that hold the values of each."""
    united: ColumnTypes = {}
    places: dict[str, Path] = {}
    for file, types in columns.items():
        for name, kind in types.items():
            try:
                both = [pa.schema({name: type_}) for type_ in (united.get(name, kind), kind)]
                united[name] = pa.unify_schemas(both, promote_options="permissive").field(name).type
            except pa.ArrowException as error:
                raise RequestError(
                    f"column {name!r} is {united[name]} in {places[name]}, but {kind} in {file}; "
                    "give it one type in both tables of images"
                ) from error
            places.setdefault(name, file)
    return united
