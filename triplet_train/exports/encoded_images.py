"""Decoding of image files within a TensorFlow graph, with the pixels of `data.conversion`."""

from collections.abc import Callable

import tensorflow as tf

from triplet_train.data.conversion import SURPLUS, Colour
from triplet_train.data.images import Shape
from triplet_train.errors import RequestError
from triplet_train.exports.orientation import make_orientation

Decode = Callable[[tf.Tensor], tf.Tensor]
_JPEG, _PNG, _WEBP = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF"
Decoded = tuple[tf.Tensor, tf.Tensor]  # RGBA, uint8 [h, w, 4]; rows and columns of the image in it
Size = tuple[int, int] | tuple[tf.Tensor, tf.Tensor]
_DEPTHS = (8, 12, 16)  # bits that the grey levels of an image may fill
_MIRRORS = (3, 4, 7, 8), (2, 3, 6, 7)  # orientations whose first row, or column, is a last one


def make_decode_bytes(shape: Shape, policy: str, background: Colour) -> Decode:
    """Return a compiled function: a JPEG, PNG or WebP file, as a string -> uint8 [H, W, C].

    The steps are those of `data.conversion.make_convert`: JPEG is decoded at a fraction of a much
    larger size, the EXIF orientation is applied, transparent images are put on the background,
    colours become grey by ITU-R 601 where the tower takes grey, and the image is resized. Pixels
    differ by two levels at most, since each of two passes of resizing may round another way.

    The function raises InvalidArgumentError for other files, and for an animated WebP file.

    Args:
        shape, policy, background: see `make_convert`.

    Raises:
        RequestError: another number of channels than 1 or 3.
    """
    height, width, channels = shape
    if channels not in (1, 3):
        raise RequestError(
            f"--input bytes: the tower takes images of {channels} channels; encoded images are "
            "decoded to 1 or 3. Leave out --input to export a tower that takes arrays"
        )
    side = SURPLUS * max(height, width)
    fit = {"pad": _pad, "crop": _crop, "resize": _stretch}[policy]
    orientation = make_orientation()

    @tf.function(input_signature=[tf.TensorSpec([], tf.string)], autograph=False)
    def decode(file: tf.Tensor) -> tf.Tensor:
        starts = [tf.strings.substr(file, 0, len(mark)) == mark for mark in (_JPEG, _PNG, _WEBP)]
        known = tf.debugging.Assert(
            tf.reduce_any(starts), ["not a JPEG, PNG or WebP file"], name="known_format"
        )
        with tf.control_dependencies([known]):
            kind = tf.argmax(starts, output_type=tf.int32)
        pixels, sides = tf.switch_case(
            kind,
            [lambda: _jpeg(file, side), lambda: _whole(_png(file)), lambda: _whole(_webp(file))],
        )
        turn = orientation(file, kind)
        colours = _on_background(_turned(pixels, turn), background)
        if channels == 1:
            colours = _grey(colours)
        sides = tf.where(turn > 4, sides[::-1], sides)
        # libjpeg fills up the last row and column, which a turn makes the first.
        surplus = tf.cast(tf.shape(colours)[:2], tf.float64) - sides
        mirrored = [tf.reduce_any(turn == turns) for turns in _MIRRORS]
        corner = tf.where(mirrored, surplus, 0)
        return tf.ensure_shape(fit(colours, (height, width), corner, sides), shape)

    return decode


def _jpeg(file: tf.Tensor, side: int) -> Decoded:
    """Decode to 1/8, 1/4 or 1/2 of the size if at least `side` pixels remain."""
    sides = tf.cast(tf.io.extract_jpeg_shape(file)[:2], tf.float64)
    surplus = tf.reduce_min(sides) / side

    def at(ratio: int) -> Callable[[], Decoded]:
        def decode() -> Decoded:
            method = "INTEGER_ACCURATE"
            pixels = tf.io.decode_jpeg(file, channels=3, ratio=ratio, dct_method=method)
            return _opaque(pixels), sides / ratio

        return decode

    return tf.case([(surplus >= ratio, at(ratio)) for ratio in (8, 4, 2)], default=at(1))


def _png(file: tf.Tensor) -> tf.Tensor:
    header = tf.cast(tf.io.decode_raw(tf.strings.substr(file, 24, 2), tf.uint8), tf.int32)
    bits, is_grey = header[0], header[1] == 0

    def deep() -> tf.Tensor:
        levels = tf.cast(tf.io.decode_png(file, channels=1, dtype=tf.uint16), tf.int32)
        most = tf.constant([2**depth - 1 for depth in _DEPTHS])
        largest = tf.reduce_min(tf.where(most >= tf.reduce_max(levels), most, most[-1]))
        return _opaque(tf.repeat(tf.cast(levels * 255 // largest, tf.uint8), 3, axis=-1))

    def shallow() -> tf.Tensor:  # to opaque images TensorFlow adds an alpha of so many bits
        pixels = tf.io.decode_png(file, channels=4)
        opaque = tf.reduce_all(pixels[..., 3] == tf.cast(2**bits - 1, tf.uint8))
        return tf.cond(opaque, lambda: _opaque(pixels[..., :3]), lambda: pixels)

    return tf.case(
        [(is_grey & (bits == 16), deep), (bits < 8, shallow)],
        default=lambda: tf.io.decode_png(file, channels=4),
    )


def _webp(file: tf.Tensor) -> tf.Tensor:
    extended = tf.strings.substr(file, 12, 4) == b"VP8X"
    flags = tf.cast(tf.io.decode_raw(tf.strings.substr(file, 20, 1), tf.uint8), tf.int32)
    animated = extended & tf.reduce_any(flags // 2 % 2 == 1)
    still = tf.debugging.Assert(~animated, ["an animated WebP file"])
    with tf.control_dependencies([still]):  # TensorFlow 2.21 writes beyond the end of its frames
        frame = tf.io.decode_webp(tf.identity(file))[0]
    return tf.cond(tf.shape(frame)[-1] == 3, lambda: _opaque(frame), lambda: frame)


def _whole(pixels: tf.Tensor) -> Decoded:
    return pixels, tf.cast(tf.shape(pixels)[:2], tf.float64)


def _opaque(colours: tf.Tensor) -> tf.Tensor:
    return tf.pad(colours, [[0, 0], [0, 0], [0, 1]], constant_values=255)


def _turned(pixels: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Make an image [h, w, C] upright; `orientation` is 1 to 8, as in EXIF."""
    turns: list[Callable[[tf.Tensor], tf.Tensor]] = [
        lambda x: x,
        lambda x: x[:, ::-1],
        lambda x: x[::-1, ::-1],
        lambda x: x[::-1],
        lambda x: tf.transpose(x, (1, 0, 2)),
        lambda x: tf.transpose(x, (1, 0, 2))[:, ::-1],
        lambda x: tf.transpose(x, (1, 0, 2))[::-1, ::-1],
        lambda x: tf.transpose(x, (1, 0, 2))[::-1],
    ]
    return tf.switch_case(orientation - 1, [lambda turn=turn: turn(pixels) for turn in turns])


def _on_background(pixels: tf.Tensor, background: Colour) -> tf.Tensor:
    """Return the colours of [h, w, 4] over a background, in the integers of Pillow."""
    pixels = tf.cast(pixels, tf.int32)
    alpha = pixels[..., 3:]
    mixed = (pixels[..., :3] * alpha + tf.constant(background) * (255 - alpha)) * 128 + 128 * 128
    return tf.cast((mixed // 256 + mixed) // 2**15, tf.uint8)


def _grey(colours: tf.Tensor) -> tf.Tensor:
    """Return grey levels by ITU-R 601, in the integers of Pillow."""
    weighted = tf.cast(colours, tf.int32) * [19595, 38470, 7471]
    return tf.cast((tf.reduce_sum(weighted, axis=-1, keepdims=True) + 2**15) // 2**16, tf.uint8)


def _pad(image: tf.Tensor, size: Size, corner: tf.Tensor, sides: tf.Tensor) -> tf.Tensor:
    scale = tf.reduce_min(tf.cast(size, tf.float64) / sides)
    rows, columns = tf.unstack(tf.cast(tf.maximum(tf.round(scale * sides), 1), tf.int32))
    resized = _stretch(image, (rows, columns), corner, sides)
    top, left = (size[0] - rows) // 2, (size[1] - columns) // 2
    return tf.image.pad_to_bounding_box(resized, top, left, *size)


def _crop(image: tf.Tensor, size: Size, corner: tf.Tensor, sides: tf.Tensor) -> tf.Tensor:
    ratio = size[1] / size[0]
    kept = tf.minimum(sides, sides[::-1] * [1 / ratio, ratio])
    return _stretch(image, size, corner + (sides - kept) / 2, kept)


def _stretch(image: tf.Tensor, size: Size, corner: tf.Tensor, sides: tf.Tensor) -> tf.Tensor:
    """Resize the region of uint8 [h, w, C] at `corner`; columns first, as Pillow does."""
    exact = tf.cast(size, tf.float64) / sides
    scale, start = (tf.cast(part, tf.float32) for part in (exact, -corner * exact))

    def one_way(
        pixels: tf.Tensor, size: list[tf.Tensor], scale: list[tf.Tensor], start: list[tf.Tensor]
    ) -> tf.Tensor:
        resized = tf.raw_ops.ScaleAndTranslate(
            images=pixels[None], size=size, scale=scale, translation=start, kernel_type="triangle"
        )[0]
        return tf.floor(tf.clip_by_value(resized + 0.5, 0, 255))

    narrow = one_way(image, [tf.shape(image)[0], size[1]], [1.0, scale[1]], [0.0, start[1]])
    return tf.cast(one_way(narrow, [size[0], size[1]], [scale[0], 1.0], [start[0], 0.0]), tf.uint8)
