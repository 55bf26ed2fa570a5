"""A loop over blocks of slots, for computations that need the whole batch for each slot."""

from collections.abc import Callable

import tensorflow as tf

from triplet_train.losses.mining.xla import index_type


def for_each_block(
    one: Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
    values: tf.Tensor,
    slots: tf.Tensor,
    width: int,
    state: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Compute indices [B, S] from `values` [B, S], block by block.

    Only blocks with one of the first `slots` columns are computed; the result is 0 in the others.
    It is not differentiable.

    Args:
        one: (block of `values` [B, width], state) -> (block of the result [B, width], next state).
        width: number of columns in memory at a time; a divisor of S.

    Returns:
        The indices, and the last state.
    """
    if values.shape[1] == width:
        return one(values, state)
    rows, columns = values.shape[0], tf.shape(values)[1]
    blocks = tf.reshape(tf.transpose(values), [columns // width, width, -1])

    def step(
        number: tf.Tensor, results: tf.TensorArray, state: tf.Tensor
    ) -> tuple[tf.Tensor, tf.TensorArray, tf.Tensor]:
        result, state = one(tf.transpose(blocks[number]), state)
        return number + 1, results.write(number, tf.transpose(result)), state

    results = tf.TensorArray(index_type(), columns // width, element_shape=[width, rows])
    _, results, state = tf.while_loop(
        lambda number, *_: number * width < slots,
        step,
        (0, results, state),
        parallel_iterations=1,
    )
    found = tf.transpose(tf.reshape(results.stack(), [columns, -1]))
    return tf.ensure_shape(found, values.shape), state
