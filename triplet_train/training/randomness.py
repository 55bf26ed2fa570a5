"""Whose random numbers are whose: each derives from (seed, step) and what it is for."""

import tensorflow as tf

LAYERS, LOSS, IMAGES = range(3)  # who draws


def step_key(seed: int, step: tf.Tensor) -> tf.Tensor:
    """What all seeds of a step derive from, int32 [2]."""
    return tf.stack([tf.constant(seed, tf.int32), step])


def fold(key: tf.Tensor, *purpose: int | tf.Tensor) -> tf.Tensor:
    """A seed, int32 [2], for one purpose in one step."""
    for part in purpose:
        key = tf.random.experimental.stateless_fold_in(key, part)
    return key
