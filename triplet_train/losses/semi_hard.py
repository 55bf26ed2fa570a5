"""Semi-hard: each positive pair with the nearest negative beyond the positive."""

import keras
import tensorflow as tf

from triplet_train.losses.mining.batch import mining_batch
from triplet_train.losses.mining.distances import Metric
from triplet_train.losses.mining.keras_loss import MinedLoss
from triplet_train.losses.mining.nearest_beyond import nearest_beyond
from triplet_train.losses.mining.statistics import (
    TripletStatistics,
    fraction,
    masked_mean,
    statistics_of_batch,
)
from triplet_train.losses.mining.strategy import Strategy


def triplet_semihard_loss(
    y_true: tf.Tensor,
    y_pred: tf.Tensor,
    margin: float = 1.0,
    distance_metric: Metric = "L2",
) -> tf.Tensor:
    """Mean over positive pairs of max(0, D_ap - D_an* + margin).

    D_an* is the smallest D_an strictly greater than D_ap or, where there is none, the largest D_an.
    The margin plays no part in the choice: many explanations ask for a negative within
    D_ap + margin, the reference implementation does not.

    Which batches: any in which most rows have a positive, such as P x K ones; it uses all pairs of
    a class, so that few classes with many rows each are fine. Positive pairs of anchors without a
    negative do not count; a batch without a valid anchor gives 0 and zero gradients. Where all
    embeddings coincide, the loss is the margin and the gradient of L2 is 0. Among equally far rows
    one is chosen.

    When: to begin with. It passes over the negatives nearer than the positive, among which the
    mislabelled and the hopeless are, and so does not collapse as hard mining can.

    Source: Schroff, Kalenichenko & Philbin, FaceNet (2015). Value and gradient equal
    tensorflow_addons 0.23 where every anchor is valid.

    Args:
        y_true: integer labels [B] or [B, 1].
        y_pred: embeddings [B, D], as a rule of unit length; bfloat16 and float16 are compared in
            float32.
        margin: at least 0.
        distance_metric: "L2", "squared-L2", "angular", or embeddings [B, D] -> distances [B, B].

    Returns:
        Scalar, float32 (float64 for float64 embeddings). O(B^2 (D + log K)) time where a class has
        at most K rows, O(B^2 (D + K)) for float64 and under XLA; O(B^2) memory.

    Raises:
        TypeError: labels are not integers.
        ValueError: shapes that do not fit, an unknown metric.

    >>> float(triplet_semihard_loss([0, 0, 1, 1], [[0.0], [1.0], [3.0], [1.5]]))
    0.5
    """
    return triplet_semihard_statistics(y_true, y_pred, margin, distance_metric).loss


def triplet_semihard_statistics(
    y_true: tf.Tensor,
    y_pred: tf.Tensor,
    margin: float = 1.0,
    distance_metric: Metric = "L2",
) -> TripletStatistics:
    """`triplet_semihard_loss` and what a training log needs, from the same distances.

    Arguments, errors and cost are those of the loss.

    >>> embeddings = [[0.0], [1.0], [3.0], [1.5]]
    >>> float(triplet_semihard_statistics([0, 0, 1, 1], embeddings, margin=0.2).active_fraction)
    0.25
    """
    batch = mining_batch(y_true, y_pred, distance_metric)
    chosen = batch.at(tf.stack([batch.positives, nearest_beyond(batch)]))
    terms = tf.nn.relu(chosen[0] - chosen[1] + margin)
    loss = masked_mean(terms, batch.counted)
    return statistics_of_batch(batch, loss, fraction(terms > 0.0, batch.counted, loss.dtype))


def strategy(margin: float, metric: str) -> Strategy:
    """`loss.strategy: semi_hard`."""
    return lambda y, x, seed, step: triplet_semihard_statistics(y, x, margin, metric)


@keras.saving.register_keras_serializable("triplet_train")
class TripletSemiHardLoss(MinedLoss):
    """`triplet_semihard_loss` for `model.compile`; arguments as in `MinedLoss`.

    >>> loss = TripletSemiHardLoss(margin=0.2)
    >>> round(float(loss([0, 0, 1, 1], [[0.0], [1.0], [3.0], [1.5]])), 4)
    0.05
    """

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        return triplet_semihard_loss(y_true, y_pred, self.margin, self.distance_metric)
