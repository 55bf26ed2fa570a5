"""Image files of any size and kind, decoded to arrays of one shape."""

import functools
import os
import stat
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps

from triplet_train.data.image_files import printable_path
from triplet_train.data.images import Shape, SizeOf, Stored, TryRead
from triplet_train.errors import RequestError, RunError
from triplet_train.files import first_line

# Pillow raises these for files that are damaged, or implausibly large (decompression bombs).
UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError)
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_SURPLUS = 4  # then the resized image differs by 2 levels at most on photographs
_DEPTHS = (8, 12, 16, 32)  # bits of a grey level; few, so that dark images of a set stay dark
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Images that cause these warnings are read all the same.
warnings.filterwarnings("ignore", module="PIL.TiffImagePlugin")  # reads EXIF data
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

Colour = tuple[int, int, int]
Convert = Callable[[Image.Image], np.ndarray]
Decode = Callable[[Path], np.ndarray]
WHITE: Colour = (255, 255, 255)


def reader(root: Path, paths: list[str], decode: Decode, shape: Shape) -> TryRead:
    """Return `ImageTable.try_read` for files, given by their paths in `root`.

    Args:
        decode: made by `make_decode` for `shape`.
    """

    def read_one(row: int) -> np.ndarray | str:
        try:
            paths[row].encode()  # ids are UTF-8 in every format
            return decode(root / paths[row])
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


def sizes(root: Path, paths: list[str]) -> SizeOf:
    """Return `ImageTable.size_of` for files, given by their paths in `root`."""

    def size_of(row: int) -> Stored:
        try:
            with _open(root / paths[row]) as image:
                return stored(image)
        except UNREADABLE as error:
            raise RunError(_why(root / paths[row], error)) from error

    return size_of


def stored(image: Image.Image) -> Stored:
    """Return the size and kind of an opened image, from its header."""
    kind = "deep" if is_deep(image) else "transparent" if image.has_transparency_data else ""
    return Stored(image.height, image.width, kind)


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
    """Return a function: image file -> uint8 [H, W, C]. It raises one of `UNREADABLE`.

    Args:
        shape, policy, background: see `make_convert`.

    Raises:
        RequestError: another number of channels.
    """
    convert = make_convert(shape, policy, background)

    def read(path: Path) -> np.ndarray:
        with _open(path) as image:
            return convert(image)

    def decode(path: Path) -> np.ndarray:
        try:
            return read(path)
        except OSError:  # may be momentary: a network disk, too many open files
            return read(path)

    return decode


def make_convert(shape: Shape, policy: str, background: Colour = WHITE) -> Convert:
    """Return a function: opened image -> uint8 [H, W, C]. It raises one of `UNREADABLE`.

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
    resizes: dict[str, Callable[..., Image.Image]] = {
        "pad": _pad,
        "crop": ImageOps.fit,
        "resize": Image.Image.resize,
    }
    resize = resizes[policy]

    def convert(image: Image.Image) -> np.ndarray:
        # libjpeg decodes to 1/2, 1/4 or 1/8 of the size; what remains is still a good deal larger.
        image.draft(image.mode, (_SURPLUS * max(height, width),) * 2)
        upright = _eight_bits(_upright(image))
        if channels < 4 and upright.has_transparency_data:
            layer = Image.new("RGBA", upright.size, background)
            upright = Image.alpha_composite(layer, upright.convert("RGBA"))
        pixels = upright.convert(MODES[channels])
        if pixels.size != (width, height):
            pixels = resize(pixels, (width, height), Image.Resampling.BILINEAR)
        return np.asarray(pixels).reshape(shape)

    return convert


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


def _upright(image: Image.Image) -> Image.Image:
    """Turn an image by the orientation in its EXIF data.

    `ImageOps.exif_transpose` also rewrites the EXIF data, and fails if they are damaged.
    """
    turn = turn_of(image)
    return image if turn is None else image.transpose(turn)


def _pad(image: Image.Image, size: tuple[int, int], method: Image.Resampling) -> Image.Image:
    """Pad like `ImageOps.pad`, but keep at least a pixel of the short side of a very long image."""
    scale = min(whole / part for whole, part in zip(size, image.size, strict=True))
    width, height = (max(1, round(scale * side)) for side in image.size)
    padded = Image.new(image.mode, size)
    corner = (size[0] - width) // 2, (size[1] - height) // 2
    padded.paste(image.resize((width, height), method), corner)
    return padded
