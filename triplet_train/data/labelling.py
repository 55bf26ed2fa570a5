"""Classes of images by their paths."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
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


def unmatched(paths: Iterable[str], place: str | Path) -> list[str]:
    """Return a line for the user about paths that data.label_pattern does not match, if any."""
    paths = list(paths)
    if not paths:
        return []
    return [
        f"left out: {len(paths):,} images in {place} whose paths data.label_pattern does not "
        f"match: {printable_list(paths)}"
    ]


def ignored(labels: Iterable[str], data: DataConfig, place: str | Path) -> list[str]:
    """Return a line for the user about images of data.junk_labels, if any.

    Args:
        labels: of all images in `place`.
    """
    counts = Counter(label for label in labels if label in data.junk_labels)
    if not counts:
        return []
    kinds = printable_list(f"{label} ({count:,})" for label, count in counts.most_common())
    return [f"left out: {counts.total():,} images of data.junk_labels in {place}: {kinds}"]
