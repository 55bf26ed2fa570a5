"""The images that a table lists, with their splits and the lines they stand in."""

import functools
import os
from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from triplet_train.data.image_files import printable_path
from triplet_train.data.images import ImageTable, Stored
from triplet_train.data.listing import Listing
from triplet_train.data.table_file import LISTED, TableFile
from triplet_train.errors import RequestError, RunError


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
            names = self.columns[:1] if self.is_whole(place) else self.columns
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
