"""Decoding of the records of a TFDS data set."""

import os
from collections.abc import Callable

import tensorflow as tf

from triplet_train.data.resizing import make_resize
from triplet_train.data.sources.tfds.features import Features

_AT_ONCE = 4  # images decoded in an iteration of the loop, which costs as much as one of them


def make_decode(
    features: Features, image_key: str, policy: str
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return a compiled function: serialised tf.train.Example [n] -> uint8 [n, H, W, C].

    Args:
        policy: see `make_resize`.
    """
    shape = features.image_shape
    resize = make_resize(shape, policy)

    def decode_one(encoded: tf.Tensor) -> tf.Tensor:
        if features.converted:
            return resize(tf.io.decode_image(encoded, shape[2], expand_animations=False))
        image = features.image.decode_example(encoded)
        return resize(image) if features.resized else image

    def decode_some(some: tf.Tensor) -> tf.Tensor:
        return tf.stack([decode_one(encoded) for encoded in tf.unstack(some)])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def decode(records: tf.Tensor) -> tf.Tensor:
        spec = {image_key: tf.io.FixedLenFeature([], tf.string)}
        encoded = tf.io.parse_example(records, spec)[image_key]
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
