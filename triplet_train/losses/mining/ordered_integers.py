"""Distances as integers in the same order, which TensorFlow sorts and searches much faster.

The functions use operations that have a kernel for GPUs.
"""

import tensorflow as tf


def as_ordered_integers(distances: tf.Tensor, signed: bool = True) -> tf.Tensor:
    """Map float32 to int32, or float64 to int64, preserving the order; NaN is not allowed.

    Args:
        signed: False takes no time, but the order below zero is lost, and -0.0 is there.
    """
    whole = tf.int64 if distances.dtype == tf.float64 else tf.int32
    if not signed:
        return tf.bitcast(distances, whole)
    return _reversed_below_zero(tf.bitcast(distances + 0.0, whole))  # + 0.0 makes -0.0 positive


def as_distances(integers: tf.Tensor, signed: bool = True) -> tf.Tensor:
    """Map the integers of `as_ordered_integers` back to float32."""
    return tf.bitcast(_reversed_below_zero(integers) if signed else integers, tf.float32)


def _reversed_below_zero(bits: tf.Tensor) -> tf.Tensor:
    """Map the bits of floats to integers in the order of the floats, and back."""
    # The bits of non-negative floats are in order; those of negative ones, sign aside, in reverse.
    below_zero = tf.bitwise.right_shift(bits, 8 * bits.dtype.size - 1)
    return tf.bitwise.bitwise_xor(bits, tf.bitwise.bitwise_and(below_zero, bits.dtype.max))


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
