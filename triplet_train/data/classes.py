"""The classes to train on, and the held-out classes to evaluate."""

import difflib
import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from triplet_train.config import DataConfig
from triplet_train.data.columns import distractors, taken
from triplet_train.data.images import ImageTable, selected, size_through
from triplet_train.errors import RequestError
from triplet_train.files import in_one_line

ClassSpec = Sequence[int | str]
_NUMBER = r"\d{1,19}"  # an int64 has no more digits


def training_images(table: ImageTable, data: DataConfig, seed: int) -> ImageTable:
    """Select the images to train on: of `train_classes`, or else of all but `eval_classes`.

    Distractors are left out.

    Args:
        seed: draws the classes if these are a share.

    Raises:
        RequestError: a class is unknown or in both lists, or no image is left.
    """
    distractor = distractors(table.labels, table.columns)
    if distractor.any():
        table = selected(table, np.flatnonzero(~distractor))
    return _restricted(table, data, seed, "train_classes", "eval_classes")


def evaluated_images(table: ImageTable, data: DataConfig, seed: int) -> ImageTable:
    """Select the images to evaluate: of `eval_classes`, or else of all but `train_classes`.

    Distractors stay in the gallery.

    Args:
        seed: draws the classes if these are a share.

    Raises:
        RequestError: a class is unknown or in both lists, or no image is left.
    """
    return _restricted(table, data, seed, "eval_classes", "train_classes")


def _restricted(table: ImageTable, data: DataConfig, seed: int, key: str, other: str) -> ImageTable:
    """Select images of the classes in `key` of `data`, or else of all but those in `other`."""
    given, others = getattr(data, key), getattr(data, other)
    if isinstance(given or others, str):
        share = int(given[:-1]) if given else 100 - int(others[:-1])
        table = _drawn(table, share, seed, key)
    elif given or others:
        table = _listed(table, given or [], others or [], key, other)
    return rotated(table) if data.class_rotations else table


def _drawn(table: ImageTable, share: int, seed: int, key: str) -> ImageTable:
    """Select images of `share` percent of the classes, drawn by the seed.

    The names of the classes are put in a random order. Training takes the first, evaluation the
    last. Classes that are new to a run are in neither part.
    """
    names = {
        n: name for n, name in table.class_names.items() if n >= 0 and n not in table.new_labels
    }
    order = sorted(
        set(names.values()), key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest()
    )
    training = key == "train_classes"
    border = round(len(order) * (share if training else 100 - share) / 100)
    chosen = set(order[:border] if training else order[border:])
    kept = [label for label, name in names.items() if name in chosen]
    of_classes = np.isin(table.labels, kept)
    if not of_classes.any():
        raise RequestError(
            f"data.{key}: {share}% of the {len(order):,} classes are {len(chosen):,}, and "
            f"{table.split} has no image of these"
        )
    return replace(_with_distractors(table, of_classes), classes=f"{share}%")


def _listed(
    table: ImageTable, spec: ClassSpec, spec_of_others: ClassSpec, key: str, other: str
) -> ImageTable:
    """Select images of the classes in `spec`, or if it is empty of all but `spec_of_others`."""
    known, new = table.class_names, table.new_labels
    kept = labels_of(spec, known, f"data.{key}", new_labels=new)
    # Another split may have classes that this one does not have.
    others = labels_of(spec_of_others, known, f"data.{other}", strict=False, new_labels=new)
    both = sorted(kept & others)
    if both:
        names = ", ".join(in_one_line(table.class_names[label]) for label in both[:5])
        raise RequestError(
            f"data.eval_classes: {len(both)} classes are also in data.train_classes and therefore "
            f"not held out: {names}; remove them from one of the lists"
        )
    of_classes = np.isin(table.labels, sorted(kept or others), invert=not kept)
    if not of_classes.any() and spec:
        raise RequestError(f"data.{key}: {table.split} has no image of these classes")
    if not of_classes.any():
        raise RequestError(
            f"data.{other}: all images of {table.split} are of these classes; leave out "
            f"some classes, or name others in data.{key}"
        )
    chosen = ", ".join(map(str, spec or spec_of_others))
    chosen = chosen if spec else f"all but {chosen}"
    return replace(_with_distractors(table, of_classes), classes=chosen)


def _with_distractors(table: ImageTable, of_classes: np.ndarray) -> ImageTable:
    """Select the images of some classes, bool [N], and the distractors, which have no class."""
    chosen = of_classes | distractors(table.labels, table.columns)
    return selected(table, np.flatnonzero(chosen))


def labels_of(
    spec: ClassSpec,
    class_names: dict[int, str],
    key: str,
    *,
    strict: bool = True,
    new_labels: Collection[int] = (),
) -> set[int]:
    """Return the labels of the classes in `spec`: names, numbers, or ranges of numbers.

    A number is a label, unless the names of all classes are numbers: then it is a name. Classes in
    `new_labels` do not change the meaning of a number.

    >>> sorted(labels_of([0, "dog", "3-4"], {0: "ant", 1: "cat", 2: "dog", 3: "eel", 4: "fox"}, ""))
    [0, 2, 3, 4]

    Raises:
        RequestError: a class is unknown, and `strict` is set.
    """
    labels_by_name: dict[str, list[int]] = {}
    for label, name in class_names.items():
        if label >= 0:
            labels_by_name.setdefault(name, []).append(label)
    numbers = _numbers(labels_by_name, new_labels)
    chosen: set[int] = set()
    for item in map(str, spec):
        bounds = re.fullmatch(rf"({_NUMBER})-({_NUMBER})", item)
        if item in labels_by_name:
            found = set(labels_by_name[item])
        elif bounds:
            within = range(int(bounds[1]), int(bounds[2]) + 1)
            found = {label for number, label in numbers.items() if number in within}
        else:
            number = int(item) if re.fullmatch(_NUMBER, item) else -1
            found = {numbers[number]} if number in numbers else set()
        if not found and strict:
            near = difflib.get_close_matches(item, labels_by_name, n=1)
            raise RequestError(
                f"{key}: no class {item[:80]!r} among the {len(numbers)} classes"
                + (f", numbered {min(numbers)} to {max(numbers)}" if numbers else "")
                + (f"; did you mean {near[0]!r}?" if near else "")
            )
        chosen |= found
    return chosen


def _numbers(labels_by_name: dict[str, list[int]], new_labels: Collection[int]) -> dict[int, int]:
    """Map numbers to labels: numbers are names if all names are numbers, else labels."""
    old = {name: n for name, n in labels_by_name.items() if not set(n).issubset(new_labels)}
    if all(name.isdecimal() and len(labels) == 1 for name, labels in old.items()):
        named = {int(name): labels[0] for name, labels in old.items()}
        if len(named) == len(old):  # not both 1 and 01
            new = {int(name): n[0] for name, n in labels_by_name.items() if name.isdecimal()}
            return new | named
    return {label: label for labels in old.values() for label in labels}


def rotated(table: ImageTable) -> ImageTable:
    """Rotate each image by 0, 90, 180 and 270 degrees. Each rotation of a class is a new class.

    This is usual for characters (Santoro et al., 2016, for Omniglot). The label of class c, rotated
    by 90 r degrees, is 4 c + r. The four rotations of an image
    are consecutive rows.

    Raises:
        RequestError: the images are not square.
    """
    height, width, _ = table.image_shape
    if height != width:
        raise RequestError(
            f"data.class_rotations: images of {height} x {width} are not square; give a square "
            "data.image_size"
        )

    def try_read(rows: np.ndarray) -> tuple[np.ndarray, dict[int, str]]:
        # Rotations of an image are often read together: it is decoded once.
        once, places = np.unique(rows // 4, return_inverse=True)
        unturned, failures = table.try_read(once)
        images = unturned[places]
        for turn in (1, 2, 3):
            which = rows % 4 == turn
            images[which] = np.rot90(images[which], turn, axes=(1, 2))
        failed = np.flatnonzero(np.isin(places, list(failures))).tolist()
        return images, {place: failures[places[place]] for place in failed}

    turns = np.tile(np.arange(4), len(table))
    known = np.repeat(table.labels, 4)
    return replace(
        table,
        labels=np.where(known < 0, known, 4 * known + turns),
        ids=[f"{id_}@{90 * turn}" for id_ in table.ids for turn in range(4)],
        columns=taken(table.columns, np.repeat(np.arange(len(table)), 4)),
        class_names={-1: ""}
        | {
            4 * label + turn: f"{name}@{90 * turn}"
            for label, name in table.class_names.items()
            if label >= 0
            for turn in range(4)
        },
        try_read=try_read,
        size_of=size_through(table, lambda row: row // 4),
    )
