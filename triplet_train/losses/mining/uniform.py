"""Random numbers that do not depend on whether XLA compiles what draws them."""

from collections.abc import Sequence

import tensorflow as tf


def uniform(shape: Sequence[int | tf.Tensor] | tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """In [0, 1), float32; the same numbers with XLA and without.

    They would not be if floats were asked for (tensorflow#121243), or of a negative seed, whose
    sign is dropped.

    Args:
        seed: int32 [2].
    """
    seed = tf.bitwise.bitwise_and(seed, 2**31 - 1)
    bits = tf.random.stateless_uniform(shape, seed, minval=None, maxval=None, dtype=tf.uint32)
    return tf.cast(tf.bitwise.right_shift(bits, tf.constant(8, tf.uint32)), tf.float32) * 2.0**-24
