"""Random numbers that are the same with and without XLA."""

from collections.abc import Sequence

import tensorflow as tf


def uniform(shape: Sequence[int | tf.Tensor] | tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Draw float32 numbers from [0, 1), the same ones with and without XLA.

    TensorFlow's own floats differ under XLA (tensorflow#121243), as do all numbers from a negative
    seed. For this reason integers are drawn, and the sign of the seed is dropped.

    Args:
        shape: shape of the result.
        seed: int32 [2].
    """
    seed = tf.bitwise.bitwise_and(seed, 2**31 - 1)
    bits = tf.random.stateless_uniform(shape, seed, minval=None, maxval=None, dtype=tf.uint32)
    return tf.cast(tf.bitwise.right_shift(bits, tf.constant(8, tf.uint32)), tf.float32) * 2.0**-24
