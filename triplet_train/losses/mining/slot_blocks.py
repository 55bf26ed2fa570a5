"""A loop over the slots of a batch, for what each of them needs the whole batch for."""

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
    """Indices [B, S] from `values` [B, S], and the last state; `width` slots in memory at a time.

    Only the blocks that hold one of the first `slots` columns are computed, the others are 0. Not
    differentiable.

    Args:
        one: (block of `values` [B, width], state) -> (block of the result [B, width], next state).
        width: divides S.
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
