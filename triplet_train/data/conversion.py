"""Encoded images of any size and kind, converted to arrays of one shape."""

import io
import math
import warnings
from typing import Protocol, TypeVar

import numpy as np
import simplejpeg
from PIL import ExifTags, Image, UnidentifiedImageError

from triplet_train.data.boxes import Box
from triplet_train.data.images import Shape, Stored
from triplet_train.data.resizing import RESIZE, moved
from triplet_train.errors import RequestError

# Pillow raises these for files that are damaged, or implausibly large (decompression bombs).
UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError)
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
# Then a resized photograph differs by 2 levels at most. The edges of a box lie between pixels.
SURPLUS, _SURPLUS_OF_BOX = 4, 16
_DEPTHS = (8, 12, 16, 32)  # bits of a grey level; few, so that dark images of a set stay dark
_REDUCTIONS = (8, 4, 2)  # of libjpeg
_JPEG = b"\xff\xd8\xff"
_COLOURS = {"YCbCr": "RGB", "Gray": "GRAY"}  # stored -> decoded
_ORIENTED = (b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0")  # metadata with the orientation
_LARGE = 2**24  # pixels, beyond which an image may be a decompression bomb
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
Source = TypeVar("Source", contravariant=True)
WHITE: Colour = (255, 255, 255)


class Decoder(Protocol[Source]):
    """Function: source of an image, and the box that is cut out -> uint8 [H, W, C]."""

    def __call__(self, source: Source, box: Box | None = None, /) -> np.ndarray: ...


def make_convert(shape: Shape, policy: str, background: Colour = WHITE) -> Decoder[bytes]:
    """Return a function: encoded image and perhaps a box -> uint8 [H, W, C].

    It raises one of `UNREADABLE`. The part of the image in the box is cut out, then resized.
    Resizing is bilinear, with antialiasing where an image shrinks. Colours are converted to grey
    by the weights of ITU-R 601. Grey levels of 16 bits are scaled by the 8, 12 or 16 bits that the
    image uses. Of an animation the first frame is taken. The EXIF orientation is applied.
    An image that already has the size is not resized.

    Args:
        shape: H, W and C (1, 3 or 4).
        policy: see `RESIZE`.
        background: red, green and blue behind a transparent image, 0..255. Images of 4 channels
            stay transparent.

    Raises:
        RequestError: another number of channels.
    """
    height, width, channels = shape
    if channels not in _MODES:
        raise RequestError(f"the tower takes images of {channels} channels, files have 1, 3 or 4")
    resize = RESIZE[policy]

    def convert(encoded: bytes, box: Box | None = None, /) -> np.ndarray:
        pixels = _plain_jpeg(encoded, 2 * SURPLUS * max(height, width))
        if pixels is not None and box is None and pixels.shape == shape:  # most of a set
            return pixels
        image = _opened(encoded) if pixels is None else Image.fromarray(pixels)
        turn = turn_of(image)
        whole = _upright_size(image, turn)
        cut = (0, 0, *whole) if box is None else box.within(*whole)
        needed = max(height, width) * (SURPLUS if box is None else _SURPLUS_OF_BOX)
        reduction = _reduce(image, min(cut[2] - cut[0], cut[3] - cut[1]) / needed)
        upright = _eight_bits(image if turn is None else image.transpose(turn))
        # libjpeg fills up the last column and row, which a turn makes the first.
        right, down = (
            side - full / reduction if turn in mirrors else 0
            for side, full, mirrors in zip(upright.size, whole, _MIRRORS, strict=True)
        )
        region = moved(tuple(place / reduction for place in cut), right, down)
        if box is not None:
            left, top = math.floor(region[0]), math.floor(region[1])
            upright = upright.crop((left, top, math.ceil(region[2]), math.ceil(region[3])))
            region = moved(region, -left, -top)
        if channels < 4 and upright.has_transparency_data:
            layer = Image.new("RGBA", upright.size, background)
            upright = Image.alpha_composite(layer, upright.convert("RGBA"))
        sized = upright.convert(_MODES[channels])
        if sized.size != (width, height):
            sized = resize(sized, (width, height), region)
        return np.asarray(sized).reshape(shape)

    return convert


def _opened(encoded: bytes) -> Image.Image:
    """Open an image, without decoding it. Raises one of `UNREADABLE`."""
    try:
        return Image.open(io.BytesIO(encoded))
    except UnidentifiedImageError:  # whose message names the buffer
        raise ValueError("not an image of a known format") from None


def stored(image: Image.Image, box: Box | None = None) -> Stored:
    """Return the size and kind of an opened image or of a part of it, from its header."""
    kind = "deep" if is_deep(image) else "transparent" if image.has_transparency_data else ""
    if box is None:
        return Stored(image.height, image.width, kind)
    left, top, right, bottom = box.within(*_upright_size(image, turn_of(image)))
    return Stored(bottom - top, right - left, kind)


def _plain_jpeg(encoded: bytes, short: int) -> np.ndarray | None:
    """Decode a JPEG to the pixels that Pillow gives, faster: uint8 [h, w, 3], or [h, w] of greys.

    For a small one Pillow takes eight times as long, most of it in Python. Return None for all that
    is left to it: other formats and colours, damage, metadata that may tell the orientation, and
    images whose short side has at least `short` pixels, as they are perhaps reduced.
    """
    if not encoded.startswith(_JPEG):
        return None
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(encoded)
        if min(height, width) >= short or height * width > _LARGE or colours not in _COLOURS:
            return None
        if any(mark in encoded for mark in _ORIENTED):
            return None
        pixels: np.ndarray = simplejpeg.decode_jpeg(encoded, _COLOURS[colours])
        return pixels if colours != "Gray" else pixels[..., 0]
    except ValueError:  # Pillow reads slightly damaged files, too, or gives the reason
        return None


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
