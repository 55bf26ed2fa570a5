"""Image files: finding them in a folder, and reading them in whatever sizes and kinds they are."""

import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from triplet_train.data.images import Shape
from triplet_train.errors import RequestError
from triplet_train.files import first_line

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
# What Pillow raises of files that are damaged or too large to be meant.
UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError)

Decode = Callable[[Path], np.ndarray]


class Found(NamedTuple):
    """What there is in a folder and in the folders in it: paths in it, with slashes, sorted.

    Attributes:
        images: files whose names end in one of `SUFFIXES`, in any case.
        others: files that are no images.
        folders: all of them.
    """

    images: list[str]
    others: list[str]
    folders: list[str]


def why_unreadable(path: Path, error: BaseException) -> str:
    """The file and what is wrong with it."""
    return f"{shown(path)}: {first_line(error)}"


def shown(path: str | Path) -> str:
    """A path as it can be printed, whatever its bytes."""
    return os.fsencode(path).decode(errors="backslashreplace")


def find_images(folder: Path) -> Found:
    """All but names that begin with a dot. Links to folders are followed, each folder once."""
    found, seen = Found([], [], []), set()
    for place, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        here = Path(place).relative_to(folder)
        found.folders.extend((here / name).as_posix() for name in folders)
        for name in files:
            if not name.startswith("."):
                is_image = name.lower().endswith(SUFFIXES)
                (found.images if is_image else found.others).append((here / name).as_posix())
    for paths in found:
        paths.sort()
    return found


def class_of(path: str) -> str:
    """The path of the folder that an image lies in; empty at the top."""
    parent = PurePosixPath(path).parent
    return "" if parent == PurePosixPath(".") else str(parent)


def make_decode(image_shape: Shape, policy: str) -> Decode:
    """A function: image file -> uint8 [H, W, C]; it raises one of `UNREADABLE` where it is not one.

    Bilinear, and smoothed where an image shrinks; `policy` as in `fitting.make_fit`. Colours turn
    to grey by the weights of ITU-R 601. Of several frames the first is taken; a
    photograph is turned the way its camera was held; of 16 bits the upper 8 count.

    Raises:
        RequestError: files have no such number of channels.
    """
    height, width, channels = image_shape
    if channels not in _MODES:
        raise RequestError(f"the tower takes images of {channels} channels, files have 1, 3 or 4")
    fit = {"pad": _pad, "crop": ImageOps.fit, "resize": Image.Image.resize}[policy]

    def decode(path: Path) -> np.ndarray:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith("I"):  # 16 bits, which Pillow would cut off at 255
                upright = Image.fromarray((np.asarray(upright) // 257).astype(np.uint8))
            pixels = upright.convert(_MODES[channels])
        if pixels.size != (width, height):
            pixels = fit(pixels, (width, height), Image.Resampling.BILINEAR)
        return np.asarray(pixels).reshape(image_shape)

    return decode


def _pad(image: Image.Image, size: tuple[int, int], method: Image.Resampling) -> Image.Image:
    """`ImageOps.pad` would leave nothing of a very long image."""
    scale = min(whole / part for whole, part in zip(size, image.size, strict=True))
    inner = tuple(max(1, round(scale * side)) for side in image.size)
    padded = Image.new(image.mode, size)
    corner = tuple((whole - part) // 2 for whole, part in zip(size, inner, strict=True))
    padded.paste(image.resize(inner, method), corner)
    return padded
