"""Image files with a class each: the common part of the sources that name files by their paths."""

import functools
import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from triplet_train.config import DataConfig
from triplet_train.console import Console
from triplet_train.data.decoding import make_decode, reader, sizes
from triplet_train.data.image_files import numbered, printable_list
from triplet_train.data.images import ImageTable, Shape
from triplet_train.data.same_files import in_two_classes
from triplet_train.errors import RequestError


class Files(NamedTuple):
    """Image files.

    Attributes:
        paths: N paths, sorted.
        classes: N names of classes.
    """

    paths: list[str]
    classes: list[str]


class FileSource:
    """Image files with a class each. See `source.Source`.

    A split is the name of a part of the files, such as `train`, or a share of one, such as
    `train[:90%]`, or of the whole: `90%` is the first 90 percent, `-10%` the last 10. A share is
    taken of each class. The paths decide which images are in it; the images of a split are in the
    order of their paths.

    Labels number the classes of data.train_split and data.eval_split; see `numbered`. Further
    classes of another split follow them.

    Args:
        root: the folder that the paths start from.
        classes: names in the order of their labels, from a run; None: those of the files.

    Raises:
        RequestError: no image_size, or indistinguishable names.
    """

    ready = True

    def __init__(
        self, data: DataConfig, root: Path, console: Console, classes: Sequence[str] | None
    ) -> None:
        if data.image_size is None:
            raise RequestError(
                "data.image_size: images in a folder may vary in size; give the [H, W] to which "
                "they are resized"
            )
        self.data, self._root, self._console = data, root, console
        self.image_shape: Shape = (*data.image_size, data.channels or 3)
        self._decode = make_decode(self.image_shape, data.resize_policy, data.background)
        self._whole = functools.cache(self._find_whole)
        self._of_class = functools.cache(self._find_of_class)
        self._files = functools.cache(self._find_files)
        self._of_run = classes is not None
        if classes is None:
            wholes = [self._whole(parse(split)[0]) for split in (data.train_split, data.eval_split)]
            classes = list(numbered(set().union(*(files.classes for files in wholes))))
        _refuse_lookalikes(classes)
        self.classes = classes

    @property
    def name(self) -> str:
        return str(self.data.path)

    def count(self, split: str) -> int:
        return len(self._files(split).paths)

    def table(self, split: str) -> ImageTable:
        files, part = self._files(split), parse(split)[0]
        self._look_for(files.paths)
        numbers = {name: number for number, name in enumerate(self.classes)}
        new = numbered(set(self._whole(part).classes) - numbers.keys(), len(numbers))
        numbers |= new
        notes = self._notes(part)
        if new:
            _refuse_lookalikes(numbers)
            if self._of_run:
                notes.insert(
                    0,
                    f"{len(new):,} classes in {self._place(part)} are new since the run began, and "
                    f"numbered after its classes: {printable_list(new)}",
                )
        return ImageTable(
            self.name,
            split,
            self.image_shape,
            np.array([numbers[name] for name in files.classes], np.int64),
            files.paths,
            {number: name for name, number in numbers.items()},
            reader(self._root, files.paths, self._decode, self.image_shape),
            sizes(self._root, files.paths),
            tuple(notes),
            new_labels=frozenset(new.values()),
        )

    def in_two_classes(self, splits: Iterable[str]) -> list[str]:
        files = map(self._files, splits)
        classes = {path: name for each in files for path, name in zip(*each, strict=True)}
        return in_two_classes(self._root, classes, self._console)

    def _find_whole(self, part: str) -> Files:
        """Return the images of a part, or all images if it has no name."""
        raise NotImplementedError

    def _require(self, split: str, part: str) -> None:
        """Raise RequestError if there can be no such split."""

    def _nothing_in(self, part: str) -> str:
        """Return the error message for a part without images."""
        raise NotImplementedError

    def _look_for(self, paths: list[str]) -> None:
        """Raise RequestError if files are known to be missing."""

    def _place(self, part: str) -> str:
        """Return the name of a part for the user."""
        raise NotImplementedError

    def _notes(self, part: str) -> list[str]:
        """Return lines about files left out of a part."""
        raise NotImplementedError

    def _find_files(self, split: str) -> Files:
        part, begin, end = parse(split)
        self._require(split, part)
        whole = self._whole(part)
        if not whole.paths:
            raise RequestError(self._nothing_in(part))
        if (begin, end) == (0, 100):
            return whole
        of_class, chosen = self._of_class(part), []
        for places in of_class:
            chosen += places[round(len(places) * begin / 100) : round(len(places) * end / 100)]
        if not chosen:
            most = max(map(len, of_class))
            raise RequestError(
                f"the split {split!r} of {self.name} is empty: it is a share of each class, and "
                f"none has more than {most:,} images. To hold out whole classes instead, give "
                f"data.train_classes: 80% or a list of classes, and {part or ':'!r} for both "
                "data.train_split and data.eval_split"
            )
        chosen.sort()
        return Files(
            [whole.paths[place] for place in chosen], [whole.classes[place] for place in chosen]
        )

    def _find_of_class(self, part: str) -> list[list[int]]:
        """Return the places of the images of each class in `_whole`, in the order of their shares.

        It depends on the paths only.
        """
        paths, classes = self._whole(part)
        of_class = defaultdict(list)
        for place, name in enumerate(classes):
            of_class[name].append(place)
        for places in of_class.values():
            places.sort(key=lambda place: hashlib.sha256(paths[place].encode()).digest())
        return list(of_class.values())


def parse(split: str) -> tuple[str, int, int]:
    """Split `part[begin%:end%]` into part, begin and end. Raises RequestError.

    >>> parse("train"), parse("train[10%:20%]"), parse("90%"), parse("-10%")
    (('train', 0, 100), ('train', 10, 20), ('', 0, 90), ('', 90, 100))
    """
    form = re.fullmatch(r"([^][:%]+)(?:\[(.*)\])?|([^][]*)", split)
    part, share = (form[1] or "", form[2] or form[3] or ":") if form else ("", "none")
    if ":" not in share:
        share = f"{share}:" if share.startswith("-") else f":{share}"
    bounds = re.fullmatch(r"(?:(-?\d+)%)?:(?:(-?\d+)%)?", share)
    begin, end = (int(bounds[1] or 0), int(bounds[2] or 100)) if bounds else (0, 0)
    begin, end = (100 + place if place < 0 else place for place in (begin, end))
    if not 0 <= begin < end <= 100 or "/" in part or part in (".", ".."):
        raise RequestError(
            f"{split!r} is not a split of a folder or table: expected a name, as in train or "
            "train[:90%], or a share of the whole, as in 90% and -10%"
        )
    return part, begin, end


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
