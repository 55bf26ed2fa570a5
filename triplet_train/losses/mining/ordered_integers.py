"""Distances as integers in the same order, which TensorFlow sorts and searches much faster.

The functions use operations that have a kernel for GPUs.
"""

import tensorflow as tf


def as_ordered_integers(distances: tf.Tensor, signed: bool = True) -> tf.Tensor:
    """Map float32 to int32, or float64 to int64, preserving the order; NaN is not allowed.

    Args:
        signed: False takes no time, but the order below zero is lost, and -0.0 is there.
    """
    whole, bits = (tf.int64, 64) if distances.dtype == tf.float64 else (tf.int32, 32)
    if not signed:
        return tf.bitcast(distances, whole)
    keys = tf.bitcast(distances + 0.0, whole)  # + 0.0 makes -0.0 positive
    # The bits of non-negative floats are in order; those of negative ones, sign aside, in reverse.
    below_zero = tf.bitwise.right_shift(keys, bits - 1)
    return tf.bitwise.bitwise_xor(keys, tf.bitwise.bitwise_and(below_zero, whole.max))


def ascending(integers: tf.Tensor, columns: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Sort each row of [B, `columns`], and return the values and their former columns, int32.

    `tf.sort` and `tf.argsort` compute with int32, which TensorFlow does on the host.
    """
    values, order = tf.math.top_k(tf.bitwise.invert(integers), tf.cast(columns, tf.int32))
    return tf.bitwise.invert(values), order


def position(rows: tf.Tensor, values: tf.Tensor, side: str, out_type: tf.DType) -> tf.Tensor:
    """Search `values` [B, N] in the sorted `rows` [B, S], with the result of `tf.searchsorted`.

    That function reshapes, which TensorFlow does on the host for int32.
    """
    search = tf.raw_ops.LowerBound if side == "left" else tf.raw_ops.UpperBound
    return search(sorted_inputs=rows, values=values, out_type=out_type)
