"""Batch-hard: each anchor with its farthest positive and its nearest negative."""

import tensorflow as tf

from triplet_train.losses.pairs import Metric, batch_pairs
from triplet_train.losses.statistics import (
    TripletStatistics,
    fraction,
    masked_mean,
    statistics_of_pairs,
    valid_anchors,
)


def triplet_hard_loss(
    y_true: tf.Tensor,
    y_pred: tf.Tensor,
    margin: float = 1.0,
    soft: bool = False,
    distance_metric: Metric = "L2",
) -> tf.Tensor:
    """Mean over valid anchors of max(0, max_p D_ap - min_n D_an + margin).

    With `soft`, the term is log(1 + exp(max_p D_ap - min_n D_an)) and the margin is unused.
    Source: Hermans, Beyer & Leibe, In Defense of the Triplet Loss (2017); value and gradient equal
    tensorflow_addons 0.23 on batches in which every anchor is valid. An anchor without a positive
    or without a negative contributes nothing; a batch without valid anchors gives 0.

    Args:
        y_true: integer labels [B] or [B, 1].
        y_pred: embeddings [B, D], as a rule of unit length.
        margin: at least 0.
        soft: softplus in place of the margin.
        distance_metric: "L2", "squared-L2", "angular", or embeddings [B, D] -> distances [B, B].

    Returns:
        Scalar, float32 (float64 for float64 embeddings). O(B^2 D) time, O(B^2) memory.

    >>> float(triplet_hard_loss([0, 0, 1, 1], [[0.0], [1.0], [3.0], [1.5]]))
    1.125
    """
    return triplet_hard_statistics(y_true, y_pred, margin, soft, distance_metric).loss


def triplet_hard_statistics(
    y_true: tf.Tensor,
    y_pred: tf.Tensor,
    margin: float = 1.0,
    soft: bool = False,
    distance_metric: Metric = "L2",
) -> TripletStatistics:
    """`triplet_hard_loss` and what a training log needs, from the same distances."""
    pairs = batch_pairs(y_true, y_pred, distance_metric)
    distances, valid = pairs.distances, valid_anchors(pairs.positive, pairs.negative)
    farthest = tf.reduce_max(tf.where(pairs.positive, distances, distances.dtype.min), axis=1)
    nearest = tf.reduce_min(tf.where(pairs.negative, distances, distances.dtype.max), axis=1)
    gap = tf.where(valid, farthest - nearest, tf.zeros_like(farthest))
    terms = tf.math.softplus(gap) if soft else tf.nn.relu(gap + margin)
    active = gap > 0.0 if soft else terms > 0.0
    loss = masked_mean(terms, valid)
    return statistics_of_pairs(pairs, loss, fraction(active, valid, loss.dtype))
