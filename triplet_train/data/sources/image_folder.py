"""`image_folder`: a folder with a subfolder for each class."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from triplet_train.config import DataConfig
from triplet_train.console import SILENT, Console
from triplet_train.data.columns import BOTH
from triplet_train.data.file_source import FileSource, parts_of, require_splits
from triplet_train.data.image_files import (
    SUFFIXES,
    FoundImages,
    find_images,
    notes_on_ignored_files,
    printable_list,
    printable_path,
)
from triplet_train.data.labelling import grouping, labelling, of_special_labels, unmatched
from triplet_train.data.listing import Listing
from triplet_train.errors import RequestError


class FolderSource(FileSource):
    """A folder of images, with a subfolder for each class. See `FileSource`.

    In PATH/<split>/<class>/* the parts are folders; in PATH/<class>/* a split is a share of the
    whole. The path of a class in the folder is its name, since subfolders may be nested. With
    data.label_pattern the paths tell the classes instead.

    Raises:
        RequestError: no such folder; see `FileSource`.
    """

    def __init__(
        self,
        data: DataConfig,
        console: Console = SILENT,
        classes: Sequence[str] | None = None,
    ) -> None:
        root = Path(data.path or "")
        if not root.is_dir():
            raise RequestError(f"data.path: no such folder: {root}")
        self.data = data
        self._split_folders = bool(parts_of(data.train_split)[0])
        self._found = find_images(root)
        self._label_of = labelling(data)
        folders = [path for path in self._found.folders if "/" not in path]
        require_splits(data.roles, folders, str(root))
        images, group_of = self._found.images, grouping(data)
        parts = [path.partition("/")[0] for path in images]
        listing = Listing(
            images,
            images,
            list(map(self._class_of, images)),
            list(map(group_of, images)) if group_of else None,
            np.array([data.roles.get(part, BOTH) for part in parts], object),
        )
        super().__init__(data, listing, root, console, classes)

    def _rows(self, part: str) -> list[int]:
        images, prefix = self._listing.paths, f"{part}/" if part else ""
        rows = [row for row, path in enumerate(images) if path.startswith(prefix)]
        _refuse_names([images[row] for row in rows], self._root)
        return rows

    def _class_of(self, path: str) -> str:
        """Return the class of an image; empty at the top of a split or without a match."""
        whole_path = self.data.label_pattern or not self._split_folders
        return self._label_of(path if whole_path else "/".join(PurePosixPath(path).parts[1:]))

    def _in_folder(self, part: str, paths: list[str]) -> list[str]:
        return [path for path in paths if not part or path.startswith(f"{part}/")]

    def _require(self, split: str, part: str) -> None:
        if bool(part) != self._split_folders:
            raise RequestError(
                f"the split {split!r} does not go with data.train_split = {self.data.train_split!r}"
                ": the splits of a folder are folders in it, as in train[:90%], or shares of the "
                "whole, as in 90%"
            )

    def _nothing_in(self, part: str) -> str:
        place = self._root / part
        if place.is_dir() and self.data.label_pattern:
            return f"{place} holds no image whose path data.label_pattern matches"
        if place.is_dir():
            return f"{place} holds no image in a folder of its class ({', '.join(SUFFIXES)})"
        folders = sorted({PurePosixPath(path).parts[0] for path in self._found.folders})
        return (
            f"{self._root} has no folder {part!r}; it has {', '.join(folders[:10]) or 'none'}"
            f"{' ...' if len(folders) > 10 else ''}. If these are classes, use shares as splits, "
            "as in data.train_split: 90% and data.eval_split: -10%"
        )

    def _place(self, part: str) -> str:
        return str(self._root / part)

    def _notes(self, part: str) -> list[str]:
        place = self._root / part
        found = FoundImages(*(self._in_folder(part, paths) for paths in self._found))
        notes = of_special_labels(map(self._class_of, found.images), self.data, place)
        stray = [path for path in found.images if not self._class_of(path)]
        if self.data.label_pattern:
            return notes + unmatched(stray, place) + notes_on_ignored_files(found, place)
        if stray:
            notes.append(
                f"left out: {len(stray):,} images outside the folders of classes in {place}"
            )
        full = {str(parent) for path in found.images for parent in PurePosixPath(path).parents}
        full.update(found.duplicate_links)
        depth = 2 if self._split_folders else 1
        empty = [p for p in found.folders if p not in full and len(PurePosixPath(p).parts) == depth]
        if empty:
            names = printable_list(PurePosixPath(path).name for path in empty)
            notes.append(
                f"left out: {len(empty):,} class folders without images in {place}: {names}"
            )
        return notes + notes_on_ignored_files(found, place)


def source(
    data: DataConfig, console: Console, *, write: bool, classes: Sequence[str] | None
) -> FolderSource:
    """Open `data.dataset: image_folder`. It writes nothing into the folder, whatever `write` is."""
    return FolderSource(data, console, classes)


def _refuse_names(paths: list[str], root: Path) -> None:
    """Raise RequestError for names that are not UTF-8, as ids are in every format."""
    wrong = [path for path in paths if not _encodes(path)]
    if wrong:
        lines = "\n  ".join(printable_path(root / path) for path in wrong[:5])
        raise RequestError(f"{len(wrong):,} names of images are not UTF-8; rename them:\n  {lines}")


def _encodes(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
