"""What a batch says about a loss: its value, and what a training log needs beside it."""

from typing import NamedTuple

import tensorflow as tf

from triplet_train.losses.mining.batch import MiningBatch


class TripletStatistics(NamedTuple):
    """Scalars of the embeddings' dtype.

    Attributes:
        loss: mean of the terms that the strategy counts; 0 where there is none.
        active_fraction: share of those terms above zero, that is: with a gradient. For the soft
            margin, whose terms are all above zero: share with the positive beyond the negative.
        valid_anchors: share of anchors with a positive and a negative in the batch.
        positive_distance: mean over the positive pairs.
        negative_distance: mean over the negative pairs.
    """

    loss: tf.Tensor
    active_fraction: tf.Tensor
    valid_anchors: tf.Tensor
    positive_distance: tf.Tensor
    negative_distance: tf.Tensor


def statistics_of_batch(
    batch: MiningBatch, loss: tf.Tensor, active_fraction: tf.Tensor
) -> TripletStatistics:
    """A strategy's loss and active fraction, with what holds for any strategy over all pairs."""
    # Mining compares, and comparisons hide a NaN.
    nan_if_any = 0.0 * tf.reduce_sum(tf.stop_gradient(batch.embeddings))
    return TripletStatistics(
        loss + nan_if_any,
        active_fraction,
        tf.reduce_mean(tf.cast(batch.valid, loss.dtype)),
        masked_mean(batch.at(batch.positives), batch.filled),
        masked_mean(batch.distances, ~batch.same),
    )


def masked_mean(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Mean of `values` where `mask` holds; 0, with zero gradients, where it holds nowhere."""
    total = tf.reduce_sum(tf.where(mask, values, tf.zeros_like(values)))
    return tf.math.divide_no_nan(total, tf.reduce_sum(tf.cast(mask, values.dtype)))


def fraction(condition: tf.Tensor, mask: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Share of the places where `mask` holds at which `condition` holds too."""
    return masked_mean(tf.cast(condition, dtype), mask)
