"""Distances as integers in the same order, which TensorFlow searches and sorts much faster, and
their sorting and searching with what has a kernel for a GPU."""

import tensorflow as tf


def as_ordered_integers(distances: tf.Tensor) -> tf.Tensor:
    """float32 as int32, float64 as int64, such that a < b before is a < b after; no NaN."""
    whole, bits = (tf.int64, 64) if distances.dtype == tf.float64 else (tf.int32, 32)
    keys = tf.bitcast(distances + 0.0, whole)  # + 0.0: there are two zeros
    # Bits of floats from zero up are in order; of those below zero all but the sign run backwards.
    below_zero = tf.bitwise.right_shift(keys, bits - 1)
    return tf.bitwise.bitwise_xor(keys, tf.bitwise.bitwise_and(below_zero, whole.max))


def ascending(integers: tf.Tensor, columns: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Each row of [B, `columns`] in order, and where in its row each number was, int32.

    `tf.sort` and `tf.argsort` calculate with int32, which a GPU leaves to the host.
    """
    values, order = tf.math.top_k(tf.bitwise.invert(integers), tf.cast(columns, tf.int32))
    return tf.bitwise.invert(values), order


def position(rows: tf.Tensor, values: tf.Tensor, side: str, out_type: tf.DType) -> tf.Tensor:
    """Places of `values` [B, N] in the rows of `rows` [B, S], as `tf.searchsorted` gives them.

    That function reshapes, which a GPU leaves to the host for int32.
    """
    search = tf.raw_ops.LowerBound if side == "left" else tf.raw_ops.UpperBound
    return search(sorted_inputs=rows, values=values, out_type=out_type)
