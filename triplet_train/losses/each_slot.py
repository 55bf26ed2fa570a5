"""A loop over the slots of a batch, for what has to be done once for each."""

from collections.abc import Callable

import tensorflow as tf


def for_each_slot(
    one: Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
    values: tf.Tensor,
    slots: tf.Tensor,
    state: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """int32 [B, S] from `values` [B, S], and the last state; one slot in memory at a time.

    `one`: (column of `values` [B], state) -> (column of the result int32 [B], next state). Only the
    first `slots` of the S columns are computed, the others are 0. Not differentiable.
    """
    by_slot = tf.transpose(values)

    def step(
        slot: tf.Tensor, results: tf.TensorArray, state: tf.Tensor
    ) -> tuple[tf.Tensor, tf.TensorArray, tf.Tensor]:
        result, state = one(by_slot[slot], state)
        return slot + 1, results.write(slot, result), state

    results = tf.TensorArray(tf.int32, tf.shape(by_slot)[0], element_shape=values.shape[:1])
    _, results, state = tf.while_loop(
        lambda slot, *_: slot < slots, step, (0, results, state), parallel_iterations=1
    )
    return tf.ensure_shape(tf.transpose(results.stack()), values.shape), state
