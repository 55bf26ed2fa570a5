"""`image_folder`: a folder with a subfolder for each class."""

import functools
import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from triplet_train.config import DataConfig
from triplet_train.console import SILENT, Console
from triplet_train.data.decoding import make_decode, reader, sizes
from triplet_train.data.image_files import (
    SUFFIXES,
    FoundImages,
    class_of,
    find_images,
    notes_on_ignored_files,
    numbered,
    printable_list,
    printable_path,
)
from triplet_train.data.images import ImageTable, Shape
from triplet_train.data.same_files import in_two_classes
from triplet_train.errors import RequestError


class FolderSource:
    """A folder of images, with a subfolder for each class. See `source.Source`.

    In PATH/<split>/<class>/* a split is a folder, such as `train`, or a share of one, such as
    `train[:90%]`. In PATH/<class>/* a split is a share of the whole: `90%` is the first 90 percent,
    `-10%` the last 10. A share is taken of each class. The names of the files decide which images
    are in it; the images of a split are in the order of their paths.

    The path of a class in the folder is its name, since subfolders may be nested. Labels number the
    classes of data.train_split and data.eval_split; see `numbered`. Further classes of another
    split follow them.

    Args:
        classes: names in the order of their labels, from a run; None: those of the folder.

    Raises:
        RequestError: no such folder, no images in it, or indistinguishable names.
    """

    ready = True

    def __init__(
        self,
        data: DataConfig,
        console: Console = SILENT,
        classes: Sequence[str] | None = None,
    ) -> None:
        self.data, self._console = data, console
        self._root = Path(data.path or "")
        if not self._root.is_dir():
            raise RequestError(f"data.path: no such folder: {self._root}")
        if data.image_size is None:
            raise RequestError(
                "data.image_size: images in a folder may vary in size; give the [H, W] to which "
                "they are resized"
            )
        self.image_shape: Shape = (*data.image_size, data.channels or 3)
        self._decode = make_decode(self.image_shape, data.resize_policy, data.background)
        self._split_folders = bool(_parse(data.train_split)[0])
        self._found = find_images(self._root)
        self._paths = functools.cache(self._find_paths)
        self._of_run = classes is not None
        if classes is None:
            splits = (data.train_split, data.eval_split)
            classes = list(numbered(set().union(*map(self._classes_in, splits))))
        _refuse_lookalikes(classes)
        self.classes = classes

    @property
    def name(self) -> str:
        return str(self._root)

    def count(self, split: str) -> int:
        return len(self._paths(split))

    def table(self, split: str) -> ImageTable:
        paths = self._paths(split)

        numbers = {name: number for number, name in enumerate(self.classes)}
        new = numbered(self._classes_in(split) - numbers.keys(), len(numbers))
        numbers |= new
        if new:
            _refuse_lookalikes(numbers)
        return ImageTable(
            self.name,
            split,
            self.image_shape,
            np.array([numbers[self._class_of(path)] for path in paths], np.int64),
            paths,
            {number: name for name, number in numbers.items()},
            reader(self._root, paths, self._decode, self.image_shape),
            sizes(self._root, paths),
            tuple(self._notes(split, new)),
            new_labels=frozenset(new.values()),
        )

    def in_two_classes(self, splits: Iterable[str]) -> list[str]:
        paths = {path for split in splits for path in self._paths(split)}
        classes = {path: self._class_of(path) for path in paths}
        return in_two_classes(self._root, classes, self._console)

    def _classes_in(self, split: str) -> set[str]:
        """Return the classes in the folder of `split`."""
        images = self._in_folder_of(split, self._found.images)
        _refuse_names(images, self._root)
        return {self._class_of(path) for path in images} - {""}

    def _class_of(self, path: str) -> str:
        parts = PurePosixPath(path).parts
        return class_of("/".join(parts[1:]) if self._split_folders else path)

    def _in_folder_of(self, split: str, paths: list[str]) -> list[str]:
        folder, _, _ = _parse(split)
        return [path for path in paths if not folder or path.startswith(f"{folder}/")]

    def _find_paths(self, split: str) -> list[str]:
        """Return the paths of `split`, sorted."""
        folder, begin, end = _parse(split)
        if bool(folder) != self._split_folders:
            raise RequestError(
                f"the split {split!r} does not go with data.train_split = {self.data.train_split!r}"
                ": the splits of a folder are folders in it, as in train[:90%], or shares of the "
                "whole, as in 90%"
            )
        of_class = defaultdict(list)
        for path in self._in_folder_of(split, self._found.images):
            of_class[self._class_of(path)].append(path)
        of_class.pop("", None)
        if not of_class:
            raise RequestError(self._nothing_in(folder))
        chosen = []
        for paths in of_class.values():
            paths.sort(key=lambda path: hashlib.sha256(path.encode()).digest())
            chosen += paths[round(len(paths) * begin / 100) : round(len(paths) * end / 100)]
        if not chosen:
            most = max(map(len, of_class.values()))
            raise RequestError(
                f"the split {split!r} of {self.name} is empty: it is a share of each class, and "
                f"none has more than {most:,} images. To hold out whole classes instead, give "
                f"data.train_classes: 80% or a list of classes, and {folder or ':'!r} for both "
                "data.train_split and data.eval_split"
            )
        return sorted(chosen)

    def _nothing_in(self, folder: str) -> str:
        """Return the error message for a folder without images in folders of classes."""
        place = self._root / folder
        if place.is_dir():
            return f"{place} holds no image in a folder of its class ({', '.join(SUFFIXES)})"
        folders = sorted({PurePosixPath(path).parts[0] for path in self._found.folders})
        return (
            f"{self._root} has no folder {folder!r}; it has {', '.join(folders[:10]) or 'none'}"
            f"{' ...' if len(folders) > 10 else ''}. If these are classes, use shares as splits, "
            "as in data.train_split: 90% and data.eval_split: -10%"
        )

    def _notes(self, split: str, new: Collection[str]) -> list[str]:
        """Return lines about files left out of `split`, and about classes that are new to a run."""
        folder, _, _ = _parse(split)
        place = self._root / folder
        found = FoundImages(*(self._in_folder_of(split, paths) for paths in self._found))
        notes = []
        if new and self._of_run:
            notes.append(
                f"{len(new):,} classes in {place} are new since the run began, and numbered "
                f"after its classes: {printable_list(new)}"
            )
        stray = [path for path in found.images if not self._class_of(path)]
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


def _parse(split: str) -> tuple[str, int, int]:
    """Split `folder[begin%:end%]` into folder, begin and end. Raises RequestError.

    >>> _parse("train"), _parse("train[10%:20%]"), _parse("90%"), _parse("-10%")
    (('train', 0, 100), ('train', 10, 20), ('', 0, 90), ('', 90, 100))
    """
    form = re.fullmatch(r"([^][:%]+)(?:\[(.*)\])?|([^][]*)", split)
    folder, share = (form[1] or "", form[2] or form[3] or ":") if form else ("", "none")
    if ":" not in share:
        share = f"{share}:" if share.startswith("-") else f":{share}"
    parts = re.fullmatch(r"(?:(-?\d+)%)?:(?:(-?\d+)%)?", share)
    begin, end = (int(parts[1] or 0), int(parts[2] or 100)) if parts else (0, 0)
    begin, end = (100 + place if place < 0 else place for place in (begin, end))
    if not 0 <= begin < end <= 100 or "/" in folder or folder in (".", ".."):
        raise RequestError(
            f"{split!r} is not a split of a folder: expected the name of a subfolder, as in train "
            "or train[:90%], or a share of the whole, as in 90% and -10%"
        )
    return folder, begin, end


def _refuse_names(paths: list[str], root: Path) -> None:
    """Raise RequestError for names that are not UTF-8, as ids are in every format."""
    wrong = [path for path in paths if not _encodes(path)]
    if wrong:
        listed = "\n  ".join(printable_path(root / path) for path in wrong[:5])
        raise RequestError(f"{len(wrong):,} names of images are not UTF-8 text:\n  {listed}")


def _encodes(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse_lookalikes(classes: Iterable[str]) -> None:
    """Raise RequestError if names differ in case or Unicode form only, probably by mistake."""
    seen: dict[str, str] = {}
    for name in sorted(classes):
        plain = unicodedata.normalize("NFC", name).casefold()
        if plain in seen:
            raise RequestError(
                f"the classes {seen[plain]!a} and {name!a} differ in case or Unicode form only; "
                "rename one of them, or move its images to the other"
            )
        seen[plain] = name
