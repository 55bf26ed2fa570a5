"""Value of a loss on a batch, with further scalars for a training log."""

from typing import NamedTuple

import tensorflow as tf

from triplet_train.losses.mining.batch import MiningBatch


class TripletStatistics(NamedTuple):
    """Scalars of the embeddings' dtype.

    Attributes:
        loss: mean of the terms that the strategy counts; 0 without any.
        active_fraction: share of these terms that are above zero and therefore have a gradient.
            With the soft margin all terms are above zero; it is then the share of terms whose
            positive is farther away than the negative.
        valid_anchors: share of anchors with a positive and a negative in the batch.
        positive_distance: mean over the positive pairs.
        negative_distance: mean over the negative pairs.
    """

    loss: tf.Tensor
    active_fraction: tf.Tensor
    valid_anchors: tf.Tensor
    positive_distance: tf.Tensor
    negative_distance: tf.Tensor


def statistics_of_terms(
    batch: MiningBatch, terms: tf.Tensor, counted: tf.Tensor, active: tf.Tensor | None = None
) -> TripletStatistics:
    """Return the statistics of a loss that is the mean of `terms` where `counted` is true.

    Args:
        batch: the batch that was mined.
        terms: terms of the loss, of any shape.
        counted: bool, of the shape of `terms`.
        active: bool, of the shape of `terms`; default: terms above zero.
    """
    loss = masked_mean(terms, counted)
    active = terms > 0.0 if active is None else active
    return statistics_of_batch(batch, loss, fraction(active, counted, loss.dtype))


def statistics_of_batch(
    batch: MiningBatch, loss: tf.Tensor, active_fraction: tf.Tensor
) -> TripletStatistics:
    """Complete the loss and active fraction of a strategy with the scalars of the whole batch."""
    # Mining compares distances, and a comparison with NaN is False: a NaN would not reach the loss.
    nan_if_any = 0.0 * tf.reduce_sum(tf.stop_gradient(batch.embeddings))
    return TripletStatistics(
        loss + nan_if_any,
        active_fraction,
        tf.reduce_mean(tf.cast(batch.valid, loss.dtype)),
        masked_mean(batch.at(batch.positives), batch.filled),
        masked_mean(batch.distances, ~batch.same),
    )


def masked_mean(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Mean of `values` where `mask` is true; 0, with zero gradients, if it is false everywhere."""
    total = tf.reduce_sum(tf.where(mask, values, tf.zeros_like(values)))
    return tf.math.divide_no_nan(total, tf.reduce_sum(tf.cast(mask, values.dtype)))


def fraction(condition: tf.Tensor, mask: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Share of the true elements of `mask` at which `condition` is true too."""
    return masked_mean(tf.cast(condition, dtype), mask)
