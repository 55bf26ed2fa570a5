"""Image files with a class each: the common part of the sources that name files by their paths."""

import difflib
import functools
import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from triplet_train.config import DataConfig
from triplet_train.console import Console
from triplet_train.data.decoding import make_decode, reader, sizes
from triplet_train.data.image_files import numbered, printable_list
from triplet_train.data.images import ImageTable, Shape
from triplet_train.data.labelling import absent_labels, kept
from triplet_train.data.listing import Listing
from triplet_train.data.same_files import in_two_classes
from triplet_train.errors import RequestError


class Files(NamedTuple):
    """Images of a split.

    Attributes:
        places: int64 [N], ascending, in the listing of the source.
        classes: N names of classes; empty for a distractor.
    """

    places: np.ndarray
    classes: list[str]

    def at(self, rows: Sequence[int]) -> "Files":
        """Return some of the images."""
        return Files(self.places[np.array(rows, np.int64)], [self.classes[row] for row in rows])


class FileSource:
    """Image files with a class each. See `source.Source`.

    A split is the name of a part of the files, such as `train`, or a share of one, such as
    `train[:90%]`, or of the whole: `90%` is the first 90 percent, `-10%` the last 10. A share is
    taken of each class. `a+b` is two splits together. The ids decide which images are in a share;
    the images of a split are in the order of their ids.

    Distractors have no class. Their role is `gallery`.

    Labels number the classes of data.train_split and data.eval_split; see `numbered`. Further
    classes of another split follow them.

    Args:
        listing: all images.
        root: the folder that their paths start from.
        classes: names in the order of their labels, from a run; None: those of the files.

    Raises:
        RequestError: no image_size, or indistinguishable names.
    """

    ready = True

    def __init__(
        self,
        data: DataConfig,
        listing: Listing,
        root: Path,
        console: Console,
        classes: Sequence[str] | None,
    ) -> None:
        if data.image_size is None:
            raise RequestError(
                "data.image_size: images in a folder may vary in size; give the [H, W] to which "
                "they are resized"
            )
        self.data, self._listing, self._root, self._console = data, listing, root, console
        self.image_shape: Shape = (*data.image_size, data.channels or 3)
        self._decode = make_decode(self.image_shape, data.resize_policy, data.background)
        self._whole = functools.cache(self._find_whole)
        self._of_class = functools.cache(self._find_of_class)
        self._files = functools.cache(self._find_files)
        self._of_run = classes is not None
        if classes is None:
            parts = [*parts_of(data.train_split), *parts_of(data.eval_split)]
            used = set[str]().union(*(self._whole(part).classes for part in parts))
            classes = list(numbered(used - {""}))
        _refuse_lookalikes(classes)
        self.classes = classes

    @property
    def name(self) -> str:
        return str(self.data.path)

    def count(self, split: str) -> int:
        return len(self._files(split).places)

    def table(self, split: str) -> ImageTable:
        files, parts = self._files(split), parts_of(split)
        self._look_for(files.places)
        numbers = {name: number for number, name in enumerate(self.classes)}
        wholes = (self._whole(part).classes for part in parts)
        new = numbered(set[str]().union(*wholes) - numbers.keys() - {""}, len(numbers))
        numbers |= new
        notes = [note for part in parts for note in self._notes(part)]
        if new:
            _refuse_lookalikes(numbers)
            if self._of_run:
                where = " and ".join(map(self._place, parts))
                notes.insert(
                    0,
                    f"{len(new):,} classes in {where} are new since the run began, and numbered "
                    f"after its classes: {printable_list(new)}",
                )
        distractors = np.array([not name for name in files.classes], bool)
        if distractors.any():
            numbers[""] = -1
        listing, places = self._listing, files.places
        paths, boxes = listing.paths_at(places), listing.boxes_at(places)
        return ImageTable(
            self.name,
            split,
            self.image_shape,
            np.array([numbers[name] for name in files.classes], np.int64),
            listing.ids_at(places),
            {number: name for name, number in numbers.items()},
            reader(self._root, paths, self._decode, self.image_shape, boxes),
            sizes(self._root, paths, boxes),
            (*notes, *listing.notes, *absent_labels(listing.labels, self.data)),
            new_labels=frozenset(new.values()),
            columns=listing.columns_at(places, distractors),
        )

    def in_two_classes(self, splits: Iterable[str]) -> list[str]:
        classes: dict[str, str] = {}
        for places, names in map(self._files, splits):
            rows = zip(places.tolist(), names, strict=True)
            classes |= {
                self._listing.paths[place]: name
                for place, name in rows
                if name and self._listing.is_whole(place)
            }
        return in_two_classes(self._root, classes, self._console)

    def _rows(self, part: str) -> list[int]:
        """Return the places of a part in the listing, or all if it has no name."""
        raise NotImplementedError

    def _find_whole(self, part: str) -> Files:
        """Return the images of a part, or all images if it has no name."""
        places = self._listing.once(self._rows(part))
        rows, classes = kept([self._listing.labels[place] for place in places], self.data)
        return Files(np.array(places, np.int64)[np.array(rows, np.int64)], classes)

    def _require(self, split: str, part: str) -> None:
        """Raise RequestError if there can be no such split."""

    def _nothing_in(self, part: str) -> str:
        """Return the error message for a part without images."""
        raise NotImplementedError

    def _look_for(self, places: np.ndarray) -> None:
        """Raise RequestError if files at places in the list are known to be missing."""

    def _place(self, part: str) -> str:
        """Return the name of a part for the user."""
        raise NotImplementedError

    def _notes(self, part: str) -> list[str]:
        """Return lines about files left out of a part."""
        raise NotImplementedError

    def _find_files(self, split: str) -> Files:
        first, *others = (self._share(one) for one in split.split("+"))
        if not others:
            return first
        places, classes = zip(first, *others, strict=True)
        files = Files(np.concatenate(places), list(chain.from_iterable(classes)))
        order = np.argsort(files.places, kind="stable")
        if (np.diff(files.places[order]) == 0).any():
            raise RequestError(
                f"the split {split!r} of {self.name} contains some images more than once; its "
                "parts must not overlap"
            )
        return files.at(order.tolist())

    def _share(self, split: str) -> Files:
        part, begin, end = parse(split)
        self._require(split, part)
        whole = self._whole(part)
        if not len(whole.places):
            raise RequestError(self._nothing_in(part))
        if (begin, end) == (0, 100):
            return whole
        of_class, chosen = self._of_class(part), []
        for rows in of_class:
            chosen += rows[round(len(rows) * begin / 100) : round(len(rows) * end / 100)]
        if not chosen:
            most = max(map(len, of_class))
            raise RequestError(
                f"the split {split!r} of {self.name} is empty: it is a share of each class, and "
                f"none has more than {most:,} images. To hold out whole classes instead, give "
                f"data.train_classes: 80% or a list of classes, and {part or ':'!r} for both "
                "data.train_split and data.eval_split"
            )
        return whole.at(sorted(chosen))

    def _find_of_class(self, part: str) -> list[list[int]]:
        """Return the rows of the images of each class in `_whole`, in the order of their shares.

        It depends on the ids only.
        """
        places, classes = self._whole(part)
        ids = self._listing.ids_at(places)
        of_class = defaultdict(list)
        for row, name in enumerate(classes):
            of_class[name].append(row)
        for rows in of_class.values():
            rows.sort(key=lambda row: hashlib.sha256(ids[row].encode()).digest())
        return list(of_class.values())


def require_splits(roles: Iterable[str], known: Sequence[str], place: str) -> None:
    """Raise RequestError if data.roles names a split that `place` does not have."""
    for split in roles:
        if split not in known:
            near = difflib.get_close_matches(split, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise RequestError(
                f"data.roles: no split {split!r} in {place}; it has "
                f"{printable_list(known, 10) or 'none'}{hint}"
            )


def parts_of(split: str) -> list[str]:
    """Return the parts of `part[begin%:end%]+part`, each once."""
    return list(dict.fromkeys(parse(one)[0] for one in split.split("+")))


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
            "train[:90%], a share of the whole, as in 90% and -10%, or a sum, as in query+gallery"
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
