"""Decoding of the records of a TFDS data set."""

import io
import os
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from PIL import Image

from triplet_train.config import DataConfig
from triplet_train.data.decoding import MODES, UNREADABLE, is_deep, make_convert, turn_of
from triplet_train.data.resizing import make_resize
from triplet_train.data.sources.tfds.features import Features
from triplet_train.files import first_line

_AT_ONCE = 4  # images decoded in an iteration of the loop, which costs as much as one of them
_GREY = (19595, 38470, 7471)  # ITU-R 601 in parts of 2**16, as in Pillow
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_LARGEST_SEGMENT = 2**16  # EXIF data are near the beginning of a JPEG, in one segment


def make_decode(features: Features, data: DataConfig) -> Callable[[list[bytes]], np.ndarray]:
    """Return a function: n serialised tf.train.Example -> uint8 [n, H, W, C].

    TensorFlow decodes PNG and JPEG to the same bits as Pillow, and Pillow the images where
    TensorFlow would ignore transparency, the orientation of the camera or the levels in use of 16
    bits, and other formats. Resizing in TensorFlow differs from Pillow's by rounding.
    """
    shape, key = features.image_shape, data.image_key
    decode_plain = _make_decode_plain(features, data.resize_policy)
    convert = (
        make_convert(shape, data.resize_policy, data.background) if shape[2] in MODES else None
    )

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def parse(records: tf.Tensor) -> tf.Tensor:
        spec = {key: tf.io.FixedLenFeature([], tf.string)}
        return tf.io.parse_example(records, spec)[key]

    def decode(records: list[bytes]) -> np.ndarray:
        encoded = parse(tf.constant(records, tf.string))
        contents = encoded.numpy()
        odd = [convert is not None and _is_odd(content, shape[2]) for content in contents]
        if convert is None or not any(odd):
            return decode_plain(encoded).numpy()
        images = np.empty((len(records), *shape), np.uint8)
        plain = ~np.array(odd)
        if plain.any():
            images[plain] = decode_plain(tf.constant(contents[plain], tf.string)).numpy()
        for place in np.flatnonzero(odd):
            try:
                with Image.open(io.BytesIO(contents[place])) as image:
                    images[place] = convert(image)
            except UNREADABLE as error:
                raise OSError(first_line(error)) from error
        return images

    return decode


def _is_odd(content: bytes, channels: int) -> bool:
    """Return True if TensorFlow would decode an image to other pixels than `make_convert` does."""
    if content.startswith(_PNG):
        deep, alpha = content[24:25] == b"\x10", content[25:26] in (b"\x04", b"\x06")
        if not (deep or alpha or _has_chunks(content)):
            return False
    elif content.startswith(_JPEG):
        if b"Exif\0\0" not in content[:_LARGEST_SEGMENT]:
            return False
    else:
        return True
    try:
        with Image.open(io.BytesIO(content)) as image:
            transparent = channels < 4 and image.has_transparency_data
            return transparent or is_deep(image) or turn_of(image) is not None
    except UNREADABLE:  # TensorFlow gives the reason
        return False


def _has_chunks(png: bytes) -> bool:
    """Return True if a PNG file may tell of transparency or orientation before its pixels."""
    head = png[: png.find(b"IDAT")]
    return b"tRNS" in head or b"eXIf" in head


def _make_decode_plain(features: Features, policy: str) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return a compiled function: PNG and JPEG files [n] -> uint8 [n, H, W, C].

    Args:
        policy: see `make_resize`.
    """
    shape = features.image_shape
    resize = make_resize(shape, policy)

    def decode_one(encoded: tf.Tensor) -> tf.Tensor:
        to_grey = features.converted and shape[2] == 1
        # This operation decodes PNG, too. Pillow uses the accurate method.
        image = tf.io.decode_jpeg(
            encoded, 3 if to_grey else shape[2], dct_method="INTEGER_ACCURATE"
        )
        if to_grey:
            weighted = tf.reduce_sum(tf.cast(image, tf.int32) * _GREY, axis=2, keepdims=True)
            image = tf.cast((weighted + 2**15) // 2**16, tf.uint8)
        return resize(image) if features.resized else tf.ensure_shape(image, shape)

    def decode_some(some: tf.Tensor) -> tf.Tensor:
        return tf.stack([decode_one(encoded) for encoded in tf.unstack(some)])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def decode(encoded: tf.Tensor) -> tf.Tensor:
        count = tf.shape(encoded)[0]
        padded = tf.concat([encoded, tf.repeat(encoded[:1], -count % _AT_ONCE)], 0)
        images = tf.map_fn(
            decode_some,
            tf.reshape(padded, [-1, _AT_ONCE]),
            fn_output_signature=tf.TensorSpec((_AT_ONCE, *shape), tf.uint8),
            parallel_iterations=os.cpu_count(),
        )
        return tf.reshape(images, [-1, *shape])[:count]

    return decode
