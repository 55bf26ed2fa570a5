"""Blocks of rows that are computed side by side, each small enough for a processor's cache."""

from collections.abc import Callable

import tensorflow as tf

from triplet_train.losses.mining.xla import gpu_without_xla

_NUMBERS = 2**17  # of a block
_AT_ONCE = 4


def in_row_blocks(one: Callable[..., tf.Tensor], first: tf.Tensor, *others: tf.Tensor) -> tf.Tensor:
    """Compute float64 [B, N] from matrices of B rows, in blocks of their rows.

    Some operations, such as the search in sorted rows, use a single thread of a CPU. Blocks give
    work to all of them. A GPU takes all rows at once. It is not differentiable.

    Args:
        one: (some rows of each matrix) -> the same rows of the result.
        first, others: [B, ...]; the width of the first one decides the height of a block.
    """
    if gpu_without_xla():
        return one(first, *others)
    rows, columns = tf.unstack(tf.shape(first))
    height = tf.maximum(_NUMBERS // columns, 1)
    blocks = -(-rows // height)

    def step(number: tf.Tensor, results: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
        here = slice(number * height, (number + 1) * height)
        return number + 1, results.write(number, one(*(each[here] for each in (first, *others))))

    results = tf.TensorArray(tf.float64, blocks, infer_shape=False, element_shape=[None, None])
    _, results = tf.while_loop(
        lambda number, _: number < blocks, step, (0, results), parallel_iterations=_AT_ONCE
    )
    return results.concat()
