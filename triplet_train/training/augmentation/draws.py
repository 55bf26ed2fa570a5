"""Random numbers that determine the changes of a batch."""

from typing import NamedTuple

import tensorflow as tf

from triplet_train.losses.mining.uniform import uniform
from triplet_train.training.randomness import IMAGES, fold


class Draws(NamedTuple):
    """Random numbers in [0, 1), float32 [B] each, one for each image of a batch.

    None depends on the options, so that no option changes the effect of another. A field that is
    added comes last, and leaves the numbers of the others as they were.
    """

    rotate: tf.Tensor
    shift_x: tf.Tensor
    shift_y: tf.Tensor
    zoom: tf.Tensor
    shear: tf.Tensor
    flip_x: tf.Tensor
    flip_y: tf.Tensor
    contrast: tf.Tensor
    brightness: tf.Tensor
    erase: tf.Tensor
    erase_aspect: tf.Tensor
    erase_left: tf.Tensor
    erase_top: tf.Tensor
    erase_level: tf.Tensor
    crop: tf.Tensor
    crop_stretch: tf.Tensor
    crop_left: tf.Tensor
    crop_top: tf.Tensor
    saturation: tf.Tensor
    hue: tf.Tensor
    grayscale: tf.Tensor
    blur: tf.Tensor


_IN_A_TABLE = 14  # fields, drawn at once; those after them are drawn one by one


def draw(key: tf.Tensor, total: int) -> Draws:
    """Draw the numbers of a batch of `total` images from the key of its step."""
    table = uniform([total, _IN_A_TABLE], fold(key, IMAGES))
    # A fold of a fold, whose numbers may be negative, would differ under XLA.
    later = range(IMAGES + 1, IMAGES + 1 + len(Draws._fields) - _IN_A_TABLE)
    return Draws(
        *tf.unstack(table, axis=1),
        *(uniform([total], fold(key, purpose)) for purpose in later),
    )


def either_way(draw: tf.Tensor) -> tf.Tensor:
    """Map [0, 1) to [-1, 1)."""
    return 2.0 * draw - 1.0


def per_image(values: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Return the values [B] of the given rows, [n, 1, 1, 1]."""
    return tf.gather(values, rows)[:, tf.newaxis, tf.newaxis, tf.newaxis]
