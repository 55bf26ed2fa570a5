"""Image files: finding them in a folder, and reading them in whatever sizes and kinds they are."""

import os
import stat
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageOps

from triplet_train.console import SILENT, Console
from triplet_train.data.images import Shape
from triplet_train.errors import RequestError
from triplet_train.files import first_line, in_one_line, is_written, plots_name, sha256
from triplet_train.registry import either

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")
_START = 4096  # bytes, in which two images differ
_COMPARED = 32  # files that a thread compares at a time
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
# What Pillow raises of files that are damaged or too large to be meant.
UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError)

# Of files whose images are read all the same.
warnings.filterwarnings("ignore", module="PIL.TiffImagePlugin")  # which reads EXIF data
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

Decode = Callable[[Path], np.ndarray]


class FoundImages(NamedTuple):
    """What there is in a folder and in the folders in it: paths in it, with slashes, sorted.

    Attributes:
        images: files whose names end in one of `SUFFIXES`, in any case.
        others: files whose names do not.
        folders: all of them.
        twice: links to folders that are among them by another way.
        written: folders that a command wrote, such as that of a run; nothing in them is listed.
    """

    images: list[str]
    others: list[str]
    folders: list[str]
    twice: list[str]
    written: list[str]


def why_unreadable(path: Path, error: BaseException) -> str:
    """The file and what is wrong with it."""
    return f"{shown(path)}: {first_line(error)}"


def shown(path: str | Path) -> str:
    """A path as it can be printed, whatever its bytes."""
    return in_one_line(os.fsencode(path).decode(errors="backslashreplace"))


def find_images(folder: Path) -> FoundImages:
    """All but names that begin with a dot, and what the commands have written there.

    Links to folders are followed, after all that is there without them, so that a folder which is
    reached twice has its own place.

    Raises:
        RequestError: a folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise RequestError(f"{shown(error.filename)} cannot be read: {error.strerror}")

    found, seen, places = FoundImages([], [], [], [], []), set(), [str(folder)]
    for start in places:  # which grows by the links that are met
        for place, folders, files in os.walk(start, onerror=refuse):
            here, real = Path(place).relative_to(folder), os.path.realpath(place)
            if real in seen:
                found.twice.append(here.as_posix())
                folders.clear()
                continue
            seen.add(real)
            if is_written(files) and place != str(folder):
                found.written.append(here.as_posix())
                folders.clear()
                continue
            plots = {plots_name(name) for name in files if name.endswith(".html")}
            found.written.extend((here / name).as_posix() for name in plots.intersection(folders))
            names = sorted(n for n in folders if not n.startswith(".") and n not in plots)
            links = [name for name in names if os.path.islink(os.path.join(place, name))]
            places += [os.path.join(place, name) for name in links]
            folders[:] = [name for name in names if name not in links]
            found.folders.extend((here / name).as_posix() for name in names)
            for name in files:
                if not name.startswith("."):
                    is_image = name.lower().endswith(SUFFIXES)
                    (found.images if is_image else found.others).append((here / name).as_posix())
    found.folders[:] = set(found.folders).difference(found.written)
    for paths in found:
        paths.sort()
    return found


def passed_over(found: FoundImages, place: Path) -> list[str]:
    """Lines for the user about the files that are not taken.

    Args:
        found: of `place`, or a part of it.
    """
    lines: list[str] = []
    if found.written:
        lines.append(
            f"left out: {len(found.written):,} folders in {place} that a command wrote: "
            f"{listed(found.written)}"
        )
    if found.twice:
        lines.append(
            f"left out: {len(found.twice):,} links to folders that are read anyway: "
            f"{listed(found.twice)}"
        )
    if found.others:
        kinds = Counter(PurePosixPath(path).suffix or "no suffix" for path in found.others)
        counts = listed(f"{kind} ({count:,})" for kind, count in kinds.most_common())
        lines.append(
            f"left out: {len(found.others):,} files in {place} whose names do not end in "
            f"{either(SUFFIXES)}: {counts}"
        )
    return lines


def in_two_classes(folder: Path, classes: dict[str, str], console: Console = SILENT) -> list[str]:
    """A line on files of the same bytes in two classes, if there are any.

    A file is opened only if another class has one of its size, and read to its end only if that
    one also begins alike.

    Args:
        classes: path in `folder` -> class.
        console: shows the progress.
    """

    def alike(paths: list[str], by: Callable[[Path], Hashable]) -> list[list[str]]:
        """Those for which `by` is the same, where they are of two classes."""

        def keys(part: list[str]) -> list[tuple[str, Hashable]]:
            found = []
            for path in part:
                with suppress(OSError):  # which is said when the image is read
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

    same = [list(classes)]
    for by in (_size, _size_and_start, sha256):
        same = alike(sorted(chain.from_iterable(same)), by)
    if not same:
        return []
    of_each = ({classes[path]: path for path in reversed(group)} for group in same)
    examples = listed((" = ".join(sorted(paths.values())[:2]) for paths in of_each), 3)
    return [f"warning: {len(same):,} image files are in two classes, byte for byte: {examples}"]


def _size(path: Path) -> int:
    return path.stat().st_size


def _size_and_start(path: Path) -> tuple[int, int]:
    _refuse_endless(path)
    with path.open("rb", buffering=0) as file:
        return os.fstat(file.fileno()).st_size, hash(file.read(_START))


def listed(names: Iterable[str], most: int = 5) -> str:
    """The first of some names, as they can be printed."""
    first = [shown(name) for name in islice(names, most + 1)]
    return ", ".join(first[:most]) + (" ..." if len(first) > most else "")


def numbered(classes: Iterable[str], start: int = 0) -> dict[str, int]:
    """Names of classes with their numbers, in order of the names, or of the numbers that all are.

    >>> numbered(["10", "9", "01", "1"]), numbered(["b", "10", "9"])
    ({'01': 0, '1': 1, '9': 2, '10': 3}, {'10': 0, '9': 1, 'b': 2})
    """
    names = sorted(classes)
    if all(name.isdecimal() for name in names):
        names.sort(key=int)
    return {name: number for number, name in enumerate(names, start)}


def class_of(path: str) -> str:
    """The path of the folder that an image lies in; empty at the top."""
    parent = PurePosixPath(path).parent
    return "" if parent == PurePosixPath(".") else str(parent)


def open_image(path: Path) -> Image.Image:
    """`Image.open`; raises one of `UNREADABLE` where the file is not one."""
    _refuse_endless(path)
    return Image.open(path)


def _refuse_endless(path: Path) -> None:
    """Raises OSError where opening could wait, as for a pipe, or reading never end."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError("not a regular file")


def make_decode(image_shape: Shape, policy: str) -> Decode:
    """A function: image file -> uint8 [H, W, C]; it raises one of `UNREADABLE` where it is not one.

    Bilinear, and smoothed where an image shrinks; `policy` as in `fitting.make_fit`. Colours turn
    to grey by the weights of ITU-R 601. Of several frames the first is taken; a
    photograph is turned the way its camera was held; levels of 16 bits are divided by 257.

    Raises:
        RequestError: files have no such number of channels.
    """
    height, width, channels = image_shape
    if channels not in _MODES:
        raise RequestError(f"the tower takes images of {channels} channels, files have 1, 3 or 4")
    fits: dict[str, Callable[..., Image.Image]] = {
        "pad": _pad,
        "crop": ImageOps.fit,
        "resize": Image.Image.resize,
    }
    fit = fits[policy]

    def decode(path: Path) -> np.ndarray:
        try:
            return read(path)
        except OSError:  # some pass, as those of a disk in a network or of too many open files
            return read(path)

    def read(path: Path) -> np.ndarray:
        with open_image(path) as image:
            upright = _upright(image)
            if upright.mode.startswith("I"):  # 16 bits, which Pillow would cut off at 255
                upright = Image.fromarray((np.asarray(upright) // 257).astype(np.uint8))
            pixels = upright.convert(_MODES[channels])
        if pixels.size != (width, height):
            pixels = fit(pixels, (width, height), Image.Resampling.BILINEAR)
        return np.asarray(pixels).reshape(image_shape)

    return decode


def _upright(image: Image.Image) -> Image.Image:
    """Turned the way the camera was held, if the file says so.

    `ImageOps.exif_transpose` also writes EXIF data anew, and fails on those that are damaged.
    """
    try:
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # whatever is wrong with them, the image may be good
        turn = None
    return image if turn is None else image.transpose(turn)


def _pad(image: Image.Image, size: tuple[int, int], method: Image.Resampling) -> Image.Image:
    """`ImageOps.pad` would leave nothing of a very long image."""
    scale = min(whole / part for whole, part in zip(size, image.size, strict=True))
    width, height = (max(1, round(scale * side)) for side in image.size)
    padded = Image.new(image.mode, size)
    corner = (size[0] - width) // 2, (size[1] - height) // 2
    padded.paste(image.resize((width, height), method), corner)
    return padded
