"""`table`: a file that lists images with their labels."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from triplet_train.config import DataConfig
from triplet_train.console import Console
from triplet_train.data.columns import BOTH
from triplet_train.data.file_source import FileSource, require_splits
from triplet_train.data.image_files import printable_list
from triplet_train.data.images import ImageTable
from triplet_train.data.labelling import of_special_labels, unmatched
from triplet_train.data.table_listing import TableListing
from triplet_train.data.table_reading import read_listing
from triplet_train.errors import RequestError


class TableSource(FileSource):
    """A table with a path, a label and perhaps a split for each image. See `FileSource`.

    The parts are the values of the column data.columns.split. Without this column a split is a
    share of the whole.

    Raises:
        RequestError: see `read_listing` and `FileSource`.
    """

    _listing: TableListing

    def __init__(self, data: DataConfig, console: Console, classes: Sequence[str] | None) -> None:
        listing = read_listing(Path(data.path or ""), data)
        splits = listing.splits
        known = [] if splits is None else sorted(set(splits.tolist()) - {""})
        require_splits(data.roles, known, f"column {data.columns.split!r} of {listing.file}")
        if data.roles and splits is not None:
            if listing.roles is not None:
                raise RequestError(
                    f"data.roles: {listing.file} has roles in a column; remove this key"
                )
            roles = np.array([data.roles.get(split, BOTH) for split in splits.tolist()], object)
            listing = replace(listing, roles=roles)
        super().__init__(data, listing, listing.root, console, classes)

    def table(self, split: str) -> ImageTable:
        return self._listing.located(super().table(split), self._files(split).places)

    def _rows(self, part: str) -> list[int]:
        places, splits = np.arange(len(self._listing.ids)), self._listing.splits
        chosen: list[int] = (
            places[splits == part] if part and splits is not None else places
        ).tolist()
        return chosen

    def _require(self, split: str, part: str) -> None:
        if part and self._listing.splits is None:
            columns = printable_list(self._listing.file.columns, 20)
            raise RequestError(
                f"the split {split!r}: {self.name} has no column {self.data.columns.split!r} "
                f"(data.columns.split), only {columns}. Give shares as splits, as in "
                "data.train_split: 90% and data.eval_split: -10%"
            )

    def _nothing_in(self, part: str) -> str:
        if not part or self._listing.splits is None:
            return f"{self.name} names no image with a label"
        splits = printable_list(sorted(set(self._listing.splits.tolist()) - {""}), 10)
        return (
            f"{self.name} has no image of split {part!r} in column {self.data.columns.split!r}; "
            f"it has {splits or 'none'}"
        )

    def _place(self, part: str) -> str:
        return f"{part} of {self.name}" if part else self.name

    def _look_for(self, places: np.ndarray) -> None:
        self._listing.look_for(self._listing.paths_at(places))

    def _notes(self, part: str) -> list[str]:
        listing, place = self._listing, self._place(part)
        rows = self._rows(part)
        labels = [listing.labels[row] for row in rows]
        notes = of_special_labels(labels, self.data, place)
        if self.data.label_pattern:
            stray = (listing.paths[row] for row in rows if not listing.labels[row])
            notes += unmatched(stray, place)
        again = len(rows) - len(listing.once(rows))
        if again:
            notes.append(f"left out: {again:,} rows of {place} that name an image again")
        if listing.splits is not None and (none := int((listing.splits == "").sum())):
            notes.append(f"{none:,} rows of {self.name} belong to no split")
        return notes


def source(
    data: DataConfig, console: Console, *, write: bool, classes: Sequence[str] | None
) -> TableSource:
    """Open `data.dataset: table`. It writes nothing, whatever `write` is."""
    return TableSource(data, console, classes)
