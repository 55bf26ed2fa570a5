"""Image files of any size and kind, decoded to arrays of one shape."""

import functools
import math
import os
import stat
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from PIL import ExifTags, Image

from triplet_train.data.boxes import Box, Boxes
from triplet_train.data.image_files import printable_path
from triplet_train.data.images import Shape, SizeOf, Stored, TryRead
from triplet_train.errors import RequestError, RunError
from triplet_train.files import first_line

# Pillow raises these for files that are damaged, or implausibly large (decompression bombs).
UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError)
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
# Then a resized photograph differs by 2 levels at most. The edges of a box lie between pixels.
_SURPLUS, _SURPLUS_OF_BOX = 4, 16
_DEPTHS = (8, 12, 16, 32)  # bits of a grey level; few, so that dark images of a set stay dark
_REDUCTIONS = (8, 4, 2)  # of libjpeg
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ACROSS = [_TURNS[way] for way in (5, 6, 7, 8)]  # exchange width and height
_MIRRORS = [_TURNS[way] for way in (2, 3, 6, 7)], [_TURNS[way] for way in (3, 4, 7, 8)]  # x, y
# Images that cause these warnings are read all the same.
warnings.filterwarnings("ignore", module="PIL.TiffImagePlugin")  # reads EXIF data
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

Colour = tuple[int, int, int]
Region = tuple[float, float, float, float]  # left, top, right, bottom
Source = TypeVar("Source", contravariant=True)
WHITE: Colour = (255, 255, 255)


class _Decoder(Protocol[Source]):
    """Function: source of an image, and the box that is cut out -> uint8 [H, W, C]."""

    def __call__(self, source: Source, box: Box | None = None, /) -> np.ndarray: ...


Convert = _Decoder[Image.Image]
Decode = _Decoder[Path]


def reader(
    root: Path, paths: list[str], decode: Decode, shape: Shape, boxes: Boxes | None = None
) -> TryRead:
    """Return `ImageTable.try_read` for files, given by their paths in `root`.

    Args:
        decode: made by `make_decode` for `shape`.
        boxes: the part of each image that is read; None: the whole.
    """

    def read_one(row: int) -> np.ndarray | str:
        try:
            paths[row].encode()  # ids are UTF-8 in every format
            return decode(root / paths[row], boxes.of(row) if boxes else None)
        except UNREADABLE as error:
            return _why(root / paths[row], error)

    def try_read(rows: np.ndarray) -> tuple[np.ndarray, dict[int, str]]:
        images, failures = np.zeros((len(rows), *shape), np.uint8), {}
        for place, answer in enumerate(_threads(os.getpid()).map(read_one, rows.tolist())):
            if isinstance(answer, str):
                failures[place] = answer
            else:
                images[place] = answer
        return images, failures

    return try_read


def sizes(root: Path, paths: list[str], boxes: Boxes | None = None) -> SizeOf:
    """Return `ImageTable.size_of` for files, given by their paths in `root`.

    Args:
        boxes: the part of each image that is read; None: the whole.
    """

    def size_of(row: int) -> Stored:
        try:
            with _open(root / paths[row]) as image:
                return stored(image, boxes.of(row) if boxes else None)
        except UNREADABLE as error:
            raise RunError(_why(root / paths[row], error)) from error

    return size_of


def stored(image: Image.Image, box: Box | None = None) -> Stored:
    """Return the size and kind of an opened image or of a part of it, from its header."""
    kind = "deep" if is_deep(image) else "transparent" if image.has_transparency_data else ""
    if box is None:
        return Stored(image.height, image.width, kind)
    left, top, right, bottom = box.within(*_upright_size(image, turn_of(image)))
    return Stored(bottom - top, right - left, kind)


@functools.cache
def _threads(process: int) -> ThreadPoolExecutor:
    """Return the threads of this process that decode files. A fork does not inherit threads."""
    return ThreadPoolExecutor(os.cpu_count(), "decode")


def _why(path: Path, error: BaseException) -> str:
    return f"{printable_path(path)}: {first_line(error)}"


def refuse_endless(path: Path) -> None:
    """Raise OSError if opening could block, as for a pipe, or reading never end."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError("not a regular file")


def _open(path: Path) -> Image.Image:
    refuse_endless(path)
    return Image.open(path)


def make_decode(shape: Shape, policy: str, background: Colour = WHITE) -> Decode:
    """Return a function: image file and perhaps a box -> uint8 [H, W, C].

    It raises one of `UNREADABLE`.

    Args:
        shape, policy, background: see `make_convert`.

    Raises:
        RequestError: another number of channels.
    """
    convert = make_convert(shape, policy, background)

    def read(path: Path, box: Box | None) -> np.ndarray:
        with _open(path) as image:
            return convert(image, box)

    def decode(path: Path, box: Box | None = None, /) -> np.ndarray:
        try:
            return read(path, box)
        except OSError:  # may be momentary: a network disk, too many open files
            return read(path, box)

    return decode


def make_convert(shape: Shape, policy: str, background: Colour = WHITE) -> Convert:
    """Return a function: opened image and perhaps a box -> uint8 [H, W, C].

    It raises one of `UNREADABLE`. The part of the image in the box is cut out, then resized.
    Resizing is bilinear, with antialiasing where an image shrinks. Colours are converted to grey
    by the weights of ITU-R 601. Grey levels of 16 bits are scaled by the 8, 12 or 16 bits that the
    image uses. Of an animation the first frame is taken. The EXIF orientation is applied.

    Args:
        shape: H, W and C (1, 3 or 4).
        policy: see `resizing.make_resize`.
        background: red, green and blue behind a transparent image, 0..255. Images of 4 channels
            stay transparent.

    Raises:
        RequestError: another number of channels.
    """
    height, width, channels = shape
    if channels not in MODES:
        raise RequestError(f"the tower takes images of {channels} channels, files have 1, 3 or 4")
    resize = {"pad": _pad, "crop": _crop, "resize": _stretch}[policy]

    def convert(image: Image.Image, box: Box | None = None, /) -> np.ndarray:
        turn = turn_of(image)
        whole = _upright_size(image, turn)
        cut = (0, 0, *whole) if box is None else box.within(*whole)
        needed = max(height, width) * (_SURPLUS if box is None else _SURPLUS_OF_BOX)
        reduction = _reduce(image, min(cut[2] - cut[0], cut[3] - cut[1]) / needed)
        upright = _eight_bits(image if turn is None else image.transpose(turn))
        # libjpeg fills up the last column and row, which a turn makes the first.
        right, down = (
            side - full / reduction if turn in mirrors else 0
            for side, full, mirrors in zip(upright.size, whole, _MIRRORS, strict=True)
        )
        region = _moved(tuple(place / reduction for place in cut), right, down)
        if box is not None:
            left, top = math.floor(region[0]), math.floor(region[1])
            upright = upright.crop((left, top, math.ceil(region[2]), math.ceil(region[3])))
            region = _moved(region, -left, -top)
        if channels < 4 and upright.has_transparency_data:
            layer = Image.new("RGBA", upright.size, background)
            upright = Image.alpha_composite(layer, upright.convert("RGBA"))
        pixels = upright.convert(MODES[channels])
        if pixels.size != (width, height):
            pixels = resize(pixels, (width, height), region)
        return np.asarray(pixels).reshape(shape)

    return convert


def _reduce(image: Image.Image, most: float) -> int:
    """Have libjpeg decode to 1/2, 1/4 or 1/8 of the size, but not beyond `most`; return which."""
    reduction = next((n for n in _REDUCTIONS if n <= most), 1)
    if reduction == 1:
        return 1
    drafted = image.draft(image.mode, (image.width // reduction, image.height // reduction))
    return reduction if drafted else 1


def is_deep(image: Image.Image) -> bool:
    """Return True for grey levels of more than 8 bits, which Pillow would cut off at 255."""
    return image.mode[0] in "IF"


def _eight_bits(image: Image.Image) -> Image.Image:
    """Scale grey levels of more than 8 bits by the first of `_DEPTHS` that holds them all."""
    if not is_deep(image):
        return image
    if image.mode == "F":
        raise ValueError("its levels are floating-point numbers of unknown range")
    levels = np.maximum(np.asarray(image).astype(np.int64), 0)
    largest = next(2**bits - 1 for bits in _DEPTHS if levels.max() < 2**bits)
    return Image.fromarray((levels * 255 // largest).astype(np.uint8))


def turn_of(image: Image.Image) -> Image.Transpose | None:
    """Return what makes an image upright by the orientation in its EXIF data."""
    try:
        return _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged EXIF data do not make the image unreadable
        return None


def _upright_size(image: Image.Image, turn: Image.Transpose | None) -> tuple[int, int]:
    """Return width and height of an image after a turn."""
    return image.size[::-1] if turn in _ACROSS else image.size


def _moved(region: Sequence[float], right: float, down: float) -> Region:
    return region[0] + right, region[1] + down, region[2] + right, region[3] + down


def _stretch(image: Image.Image, size: tuple[int, int], region: Region) -> Image.Image:
    return image.resize(size, Image.Resampling.BILINEAR, region)


def _crop(image: Image.Image, size: tuple[int, int], region: Region) -> Image.Image:
    """Crop like `ImageOps.fit`."""
    left, top, right, bottom = region
    width = min(right - left, (bottom - top) * size[0] / size[1])
    height = min(bottom - top, (right - left) * size[1] / size[0])
    left, top = left + (right - left - width) / 2, top + (bottom - top - height) / 2
    return _stretch(image, size, (left, top, min(right, left + width), min(bottom, top + height)))


def _pad(image: Image.Image, size: tuple[int, int], region: Region) -> Image.Image:
    """Pad like `ImageOps.pad`, but keep at least a pixel of the short side of a very long image."""
    sides = region[2] - region[0], region[3] - region[1]
    scale = min(whole / part for whole, part in zip(size, sides, strict=True))
    width, height = (max(1, round(scale * side)) for side in sides)
    padded = Image.new(image.mode, size)
    corner = (size[0] - width) // 2, (size[1] - height) // 2
    padded.paste(_stretch(image, (width, height), region), corner)
    return padded
