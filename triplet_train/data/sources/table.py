"""`table`: a file that lists images with their labels."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from triplet_train.config import DataConfig
from triplet_train.console import Console
from triplet_train.data.file_source import Files, FileSource
from triplet_train.data.image_files import printable_list
from triplet_train.data.labelling import ignored, unmatched
from triplet_train.data.listing import read_listing
from triplet_train.errors import RequestError


class TableSource(FileSource):
    """A table with a path, a label and perhaps a split for each image. See `FileSource`.

    The parts are the values of the column data.columns.split. Without this column a split is a
    share of the whole.

    Raises:
        RequestError: see `read_listing` and `FileSource`.
    """

    def __init__(self, data: DataConfig, console: Console, classes: Sequence[str] | None) -> None:
        self._listing = read_listing(Path(data.path or ""), data)
        super().__init__(data, self._listing.root, console, classes)

    def _rows(self, part: str) -> np.ndarray:
        """Return the places of a part in the listing, int64 [n]."""
        places = np.arange(len(self._listing.paths))
        splits = self._listing.splits
        return places[splits == part] if part and splits is not None else places

    def _find_whole(self, part: str) -> Files:
        listing, left_out = self._listing, {"", *self.data.junk_labels}
        paths, labels = listing.paths, listing.labels
        places = [row for row in self._rows(part).tolist() if labels[row] not in left_out]
        once = [
            row
            for row, before in zip(places, [None, *places], strict=False)
            if before is None or paths[row] != paths[before]
        ]
        return Files([paths[row] for row in once], [labels[row] for row in once])

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

    def _look_for(self, paths: list[str]) -> None:
        self._listing.look_for(paths)

    def _notes(self, part: str) -> list[str]:
        listing, place = self._listing, self._place(part)
        rows = self._rows(part).tolist()
        labels = [listing.labels[row] for row in rows]
        notes = ignored(labels, self.data, place)
        if self.data.label_pattern:
            stray = (listing.paths[row] for row in rows if not listing.labels[row])
            notes += unmatched(stray, place)
        again = len(rows) - len({listing.paths[row] for row in rows})
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
