"""Random numbers of a step, each derived from (seed, step) and its purpose."""

import tensorflow as tf

LAYERS, LOSS, IMAGES = range(3)  # purposes; images take all from theirs on


def step_key(seed: int, step: tf.Tensor) -> tf.Tensor:
    """Return the key from which all seeds of a step derive, int32 [2]."""
    return tf.stack([tf.constant(seed, tf.int32), step])


def fold(key: tf.Tensor, *purpose: int | tf.Tensor) -> tf.Tensor:
    """Return a seed, int32 [2], for one purpose in one step."""
    for part in purpose:
        key = tf.random.experimental.stateless_fold_in(key, part)
    return key
