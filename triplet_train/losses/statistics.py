"""What a batch says about a loss: its value, and what a training log needs beside it."""

from typing import NamedTuple

import tensorflow as tf

from triplet_train.losses.pairs import Pairs


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


def statistics_of_pairs(
    pairs: Pairs, loss: tf.Tensor, active_fraction: tf.Tensor
) -> TripletStatistics:
    """A strategy's loss and active fraction, with what holds for any strategy over all pairs."""
    return TripletStatistics(
        loss,
        active_fraction,
        tf.reduce_mean(tf.cast(valid_anchors(pairs.positive, pairs.negative), loss.dtype)),
        masked_mean(pairs.distances, pairs.positive),
        masked_mean(pairs.distances, pairs.negative),
    )


def valid_anchors(positive: tf.Tensor, negative: tf.Tensor) -> tf.Tensor:
    """bool [B]: rows of two masks [B, B] with at least one positive and one negative."""
    return tf.reduce_any(positive, axis=1) & tf.reduce_any(negative, axis=1)


def masked_mean(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Mean of `values` where `mask` holds; 0, with zero gradients, where it holds nowhere."""
    total = tf.reduce_sum(tf.where(mask, values, tf.zeros_like(values)))
    return tf.math.divide_no_nan(total, tf.reduce_sum(tf.cast(mask, values.dtype)))


def fraction(condition: tf.Tensor, mask: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Share of the places where `mask` holds at which `condition` holds too."""
    return masked_mean(tf.cast(condition, dtype), mask)
