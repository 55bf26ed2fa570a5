"""Image files with the same bytes in two classes."""

import os
from collections import defaultdict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import chain
from pathlib import Path

from triplet_train.console import SILENT, Console
from triplet_train.data.decoding import refuse_endless
from triplet_train.data.image_files import printable_list
from triplet_train.files import sha256

_START = 4096  # bytes; most different images of one size differ there
_COMPARED = 32  # files that a thread compares at a time
_MOST = 200_000  # files; opening more would take longer than all else before the first step


def in_two_classes(folder: Path, classes: dict[str, str], console: Console = SILENT) -> list[str]:
    """Return a warning about files with the same bytes in two classes, or an empty list.

    A file is opened only if another class has one of the same size, and read to its end only if
    their first bytes are the same too. More than `_MOST` files are not compared, which the
    warning says.

    Args:
        classes: path in `folder` -> class.
        console: shows the progress.
    """

    def alike(paths: list[str], by: Callable[[Path], Hashable]) -> list[list[str]]:
        """Group paths by the value of `by`; keep the groups with two classes."""

        def keys(part: list[str]) -> list[tuple[str, Hashable]]:
            found = []
            for path in part:
                with suppress(OSError):  # reported when the image is read
                    found.append((path, by(folder / path)))
            return found

        groups: defaultdict[Hashable, list[str]] = defaultdict(list)
        parts = [paths[at : at + _COMPARED] for at in range(0, len(paths), _COMPARED)]
        with (
            console.bar(len(paths), "comparing files") as progress,
            ThreadPoolExecutor(os.cpu_count()) as threads,
        ):
            for part, found in zip(parts, threads.map(keys, parts), strict=True):
                for path, key in found:
                    groups[key].append(path)
                progress.update(len(part))
        return [group for group in groups.values() if len({classes[p] for p in group}) > 1]

    if len(classes) > _MOST:
        return [f"not looked for, among more than {_MOST:,} images: identical files in two classes"]
    same = [list(classes)]
    for by in (_size, _size_and_start, sha256):
        same = alike(sorted(chain.from_iterable(same)), by)
    if not same:
        return []
    of_each = ({classes[path]: path for path in reversed(group)} for group in same)
    examples = printable_list((" = ".join(sorted(paths.values())[:2]) for paths in of_each), 3)
    return [f"warning: {len(same):,} identical image files are in two classes: {examples}"]


def _size(path: Path) -> int:
    return path.stat().st_size


def _size_and_start(path: Path) -> tuple[int, int]:
    refuse_endless(path)
    with path.open("rb", buffering=0) as file:
        return os.fstat(file.fileno()).st_size, hash(file.read(_START))
