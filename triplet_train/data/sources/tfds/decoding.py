"""Decoding of the records of a TFDS data set."""

import functools
import os
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from triplet_train.config import DataConfig
from triplet_train.data.conversion import UNREADABLE, make_convert
from triplet_train.data.decoding_threads import in_threads
from triplet_train.data.images import Shape
from triplet_train.data.sources.tfds.features import Features
from triplet_train.files import first_line

_AT_ONCE = 16  # images decoded in an iteration of the loop, which costs as much as some of them
_PNG = b"\x89PNG\r\n\x1a\n"
_ODD_CHUNKS = (b"tRNS", b"eXIf", b"Raw profile type ", b"XML:com.adobe.xmp")


def make_decode(features: Features, data: DataConfig) -> Callable[[list[bytes]], np.ndarray]:
    """Return a function: n serialised tf.train.Example -> uint8 [n, H, W, C].

    All images have the pixels that `make_convert` gives. TensorFlow decodes plain PNG files to the
    same, in half of the time.
    """
    shape = features.image_shape
    convert = make_convert(shape, data.resize_policy, data.background)
    parse, decode_png = _make_parse(data.image_key), _make_decode_png(shape)
    # TensorFlow converts colours to grey by other weights.
    to_convert = features.resized or (features.converted and shape[2] == 1)

    def decode(records: list[bytes]) -> np.ndarray:
        contents = parse(tf.constant(records, tf.string)).numpy()
        images = np.empty((len(records), *shape), np.uint8)
        png = np.array([not to_convert and _is_plain_png(c) for c in contents], bool)
        if png.any():
            images[png] = decode_png(tf.constant(contents[png], tf.string)).numpy()
        try:
            for place, image in zip(
                np.flatnonzero(~png), in_threads(convert, contents[~png].tolist()), strict=True
            ):
                images[place] = image
        except UNREADABLE as error:
            raise OSError(first_line(error)) from error
        return images

    return decode


@functools.cache  # as it takes a while to trace
def _make_parse(key: str) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return a compiled function: serialised tf.train.Example [n] -> their feature `key` [n]."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def parse(records: tf.Tensor) -> tf.Tensor:
        spec = {key: tf.io.FixedLenFeature([], tf.string)}
        return tf.io.parse_example(records, spec)[key]

    return parse


def _is_plain_png(content: bytes) -> bool:
    """Return True for PNG files without alpha, 16 bits and metadata that may tell how to turn."""
    return (
        content.startswith(_PNG)
        and content[24:25] != b"\x10"
        and content[25:26] not in (b"\x04", b"\x06")
        and not any(chunk in content for chunk in _ODD_CHUNKS)
    )


@functools.cache
def _make_decode_png(shape: Shape) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return a compiled function: PNG files [n] of images of `shape` -> uint8 [n, H, W, C]."""

    def decode_some(some: tf.Tensor) -> tf.Tensor:
        images = [tf.io.decode_png(encoded, shape[2]) for encoded in tf.unstack(some)]
        return tf.stack([tf.ensure_shape(image, shape) for image in images])

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
