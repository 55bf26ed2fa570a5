"""Batch-all: every valid triplet of the batch, without enumerating the B^3 of them."""

import tensorflow as tf

from triplet_train.losses.pairs import Metric, batch_pairs
from triplet_train.losses.statistics import TripletStatistics, statistics_of_pairs


def triplet_batch_all_loss(
    y_true: tf.Tensor,
    y_pred: tf.Tensor,
    margin: float = 1.0,
    distance_metric: Metric = "L2",
) -> tf.Tensor:
    """Mean over all valid triplets of max(0, D_ap - D_an + margin).

    Source: Weinberger & Saul (2009) for the hinge over triplets; Hermans, Beyer & Leibe (2017) for
    the name. A batch without a valid triplet gives 0.

    With an anchor's negatives in order, those that D_ap + margin passes are the first c of them,
    and their terms add up to c (D_ap + margin) less a prefix sum.

    Args:
        y_true: integer labels [B] or [B, 1].
        y_pred: embeddings [B, D], as a rule of unit length.
        margin: at least 0.
        distance_metric: "L2", "squared-L2", "angular", or embeddings [B, D] -> distances [B, B].

    Returns:
        Scalar, float32 (float64 for float64 embeddings). O(B^2 (D + log B)) time, O(B^2) memory.

    >>> float(triplet_batch_all_loss([0, 0, 1, 1], [[0.0], [1.0], [3.0], [1.5]], margin=0.0))
    0.1875
    """
    return triplet_batch_all_statistics(y_true, y_pred, margin, distance_metric).loss


def triplet_batch_all_statistics(
    y_true: tf.Tensor,
    y_pred: tf.Tensor,
    margin: float = 1.0,
    distance_metric: Metric = "L2",
) -> TripletStatistics:
    """`triplet_batch_all_loss` and what a training log needs, from the same distances."""
    pairs = batch_pairs(y_true, y_pred, distance_metric)
    distances = pairs.distances
    order = tf.sort(tf.where(pairs.negative, distances, distances.dtype.max), axis=1)
    reach = distances + margin
    passed = tf.searchsorted(order, reach, side="left")
    # float64: the difference of two long sums is all that is left of them.
    finite = tf.where(order < distances.dtype.max, order, tf.zeros_like(order))
    sums = tf.pad(tf.cumsum(tf.cast(finite, tf.float64), axis=1), [[0, 0], [1, 0]])
    count = tf.cast(passed, tf.float64)
    total = count * tf.cast(reach, tf.float64) - tf.gather(sums, passed, batch_dims=1)
    triplets = tf.reduce_sum(
        _per_anchor(pairs.positive, tf.float64) * _per_anchor(pairs.negative, tf.float64)
    )
    mean = tf.math.divide_no_nan(
        tf.reduce_sum(tf.where(pairs.positive, total, tf.zeros_like(total))), triplets
    )
    active = tf.math.divide_no_nan(
        tf.reduce_sum(tf.where(pairs.positive, count, tf.zeros_like(count))), triplets
    )
    return statistics_of_pairs(
        pairs, tf.cast(mean, distances.dtype), tf.cast(active, distances.dtype)
    )


def _per_anchor(mask: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    return tf.reduce_sum(tf.cast(mask, dtype), axis=1)
