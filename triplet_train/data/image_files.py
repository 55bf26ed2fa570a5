"""Image files in a folder, and their classes."""

import os
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from triplet_train.errors import RequestError
from triplet_train.files import in_one_line
from triplet_train.run.folder import is_written, plots_folder

# Pillow's wheels decode these formats without another program.
_ENDINGS = (
    "apng avif bmp dib gif j2k jfif jp2 jpe jpeg jpg mpo pbm pcx pgm png pnm ppm qoi tga tif tiff "
    "webp"
)
SUFFIXES = tuple(f".{ending}" for ending in _ENDINGS.split())


class FoundImages(NamedTuple):
    """The content of a folder and its subfolders: sorted paths in the folder, with slashes.

    Attributes:
        images: files with one of `SUFFIXES`, in upper or lower case.
        others: files with another suffix.
        folders: all subfolders.
        duplicate_links: links to folders whose content is in the lists already.
        command_outputs: folders that a command wrote, such as a run; their content is not listed.
    """

    images: list[str]
    others: list[str]
    folders: list[str]
    duplicate_links: list[str]
    command_outputs: list[str]


def printable_path(path: str | Path) -> str:
    """Return a path in printable characters, whatever its bytes are."""
    return in_one_line(os.fsencode(path).decode(errors="backslashreplace"))


def find_images(folder: Path) -> FoundImages:
    """Return the content of a folder, without names that begin with a dot and written folders.

    Links to folders are followed last, so that a folder with two paths keeps the one without links.

    Raises:
        RequestError: a folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise RequestError(f"{printable_path(error.filename)} cannot be read: {error.strerror}")

    found, seen, places = FoundImages([], [], [], [], []), set(), [str(folder)]
    for start in places:  # grows by the links that are met
        for place, folders, files in os.walk(start, onerror=refuse):
            here, real = Path(place).relative_to(folder), os.path.realpath(place)
            if real in seen:
                found.duplicate_links.append(here.as_posix())
                folders.clear()
                continue
            seen.add(real)
            if is_written(files) and place != str(folder):
                found.command_outputs.append(here.as_posix())
                folders.clear()
                continue
            plots = {plots_folder(Path(name)).name for name in files if name.endswith(".html")}
            found.command_outputs.extend(
                (here / name).as_posix() for name in plots.intersection(folders)
            )
            names = sorted(n for n in folders if not n.startswith(".") and n not in plots)
            links = [name for name in names if os.path.islink(os.path.join(place, name))]
            places += [os.path.join(place, name) for name in links]
            folders[:] = [name for name in names if name not in links]
            found.folders.extend((here / name).as_posix() for name in names)
            for name in files:
                if not name.startswith("."):
                    is_image = name.lower().endswith(SUFFIXES)
                    (found.images if is_image else found.others).append((here / name).as_posix())
    found.folders[:] = set(found.folders).difference(found.command_outputs)
    for paths in found:
        paths.sort()
    return found


def notes_on_ignored_files(found: FoundImages, place: Path) -> list[str]:
    """Return lines for the user about files and folders that are ignored.

    Args:
        found: the content of `place`, or a part of it.
    """
    lines: list[str] = []
    if found.command_outputs:
        lines.append(
            f"left out: {len(found.command_outputs):,} folders in {place} that a command wrote: "
            f"{printable_list(found.command_outputs)}"
        )
    if found.duplicate_links:
        lines.append(
            f"left out: {len(found.duplicate_links):,} links to folders that are read anyway: "
            f"{printable_list(found.duplicate_links)}"
        )
    if found.others:
        kinds = Counter(PurePosixPath(path).suffix or "no suffix" for path in found.others)
        counts = printable_list(f"{kind} ({count:,})" for kind, count in kinds.most_common())
        lines.append(
            f"left out: {len(found.others):,} files in {place} whose names do not end "
            f"like those of images: {counts}"
        )
    return lines


def printable_list(names: Iterable[str], most: int = 5) -> str:
    """Join the first `most` names in printable characters."""
    first = [printable_path(name) for name in islice(names, most + 1)]
    return ", ".join(first[:most]) + (" ..." if len(first) > most else "")


def numbered(classes: Iterable[str], start: int = 0) -> dict[str, int]:
    """Number classes in the order of their names, or numerically if all names are numbers.

    >>> numbered(["10", "9", "01", "1"]), numbered(["b", "10", "9"])
    ({'01': 0, '1': 1, '9': 2, '10': 3}, {'10': 0, '9': 1, 'b': 2})
    """
    names = sorted(classes)
    if all(name.isdecimal() for name in names):
        names.sort(key=int)
    return {name: number for number, name in enumerate(names, start)}


def class_of(path: str) -> str:
    """Return the path of the folder of an image; empty at the top."""
    parent = PurePosixPath(path).parent
    return "" if parent == PurePosixPath(".") else str(parent)
