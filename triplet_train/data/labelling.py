"""Classes of images by their paths."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from triplet_train.config import DataConfig
from triplet_train.data.image_files import class_of, printable_list


def labelling(data: DataConfig | None) -> Callable[[str], str]:
    """Return a function from the path of an image to its class, which is empty if it has none.

    The class is the group `label` of data.label_pattern if there is one, else the folder.

    >>> pattern = r"(?P<label>-?\\d+)_c(?P<group>\\d+)"
    >>> label_of = labelling(DataConfig(dataset="table", path="x", label_pattern=pattern))
    >>> label_of("query/0002_c1s1.jpg"), label_of("query/Thumbs.db")
    ('0002', '')
    """
    if data is None or data.label_pattern is None:
        return class_of
    search = re.compile(data.label_pattern).search

    def label_of(path: str) -> str:
        found = search(path)
        return found["label"] or "" if found else ""

    return label_of


def grouping(data: DataConfig | None) -> Callable[[str], str] | None:
    """Return a function from a path to its group `group` of data.label_pattern, if it has one.

    >>> pattern = r"(?P<label>-?\\d+)_c(?P<group>\\d+)"
    >>> grouping(DataConfig(dataset="table", path="x", label_pattern=pattern))("0002_c1s1.jpg")
    '1'
    """
    pattern = re.compile(data.label_pattern or "" if data else "")
    if "group" not in pattern.groupindex:
        return None

    def group_of(path: str) -> str:
        found = pattern.search(path)
        return found["group"] or "" if found else ""

    return group_of


def kept(labels: Sequence[str], data: DataConfig) -> tuple[list[int], list[str]]:
    """Return the places of the images that are used, and their classes.

    Images without a label and those of data.junk_labels are left out. The class of a distractor is
    empty.
    """
    left_out, distractors = {"", *data.junk_labels}, set(data.distractor_labels)
    places = [place for place, label in enumerate(labels) if label not in left_out]
    return places, ["" if labels[at] in distractors else labels[at] for at in places]


def unmatched(paths: Iterable[str], place: str | Path) -> list[str]:
    """Return a line for the user about paths that data.label_pattern does not match, if any."""
    paths = list(paths)
    if not paths:
        return []
    return [
        f"left out: {len(paths):,} images in {place} whose paths data.label_pattern does not "
        f"match: {printable_list(paths)}"
    ]


def of_special_labels(labels: Iterable[str], data: DataConfig, place: str | Path) -> list[str]:
    """Return lines for the user about images of data.junk_labels and data.distractor_labels.

    Args:
        labels: of all images in `place`.
    """
    counts, lines = Counter(labels), []
    for key, use in (
        ("junk_labels", "left out"),
        ("distractor_labels", "in the gallery only"),
    ):
        special = [(label, counts[label]) for label in getattr(data, key) if counts[label]]
        if special:
            kinds = printable_list(f"{label} ({count:,})" for label, count in special)
            total = sum(count for _, count in special)
            lines.append(f"{use}: {total:,} images of data.{key} in {place}: {kinds}")
    return lines


def absent_labels(labels: Iterable[str], data: DataConfig) -> list[str]:
    """Return lines for the user about junk_labels and distractor_labels that no image has.

    Args:
        labels: of all images.
    """
    known = set(labels)
    return [
        f"no image has the label {label!r} of data.{key}"
        for key in ("junk_labels", "distractor_labels")
        for label in getattr(data, key)
        if label not in known
    ]
