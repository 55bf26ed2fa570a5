"""Easy positive: each anchor with its nearest positive and the nearest negative beyond that."""

import keras
import tensorflow as tf

from triplet_train.losses.mining.batch import MiningBatch, mining_batch
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
from triplet_train.losses.mining.xla import index_type


def triplet_easy_positive_loss(
    y_true: tf.Tensor,
    y_pred: tf.Tensor,
    margin: float = 1.0,
    distance_metric: Metric = "L2",
) -> tf.Tensor:
    """Mean over valid anchors of max(0, min_p D_ap - D_an* + margin).

    D_an* is the smallest D_an strictly greater than min_p D_ap or, where there is none, the largest
    D_an: the negative that semi-hard mining takes for this positive.

    Which batches: P x K ones, with K large enough that an image finds another of its own kind. An
    anchor without a positive or without a negative contributes nothing; a batch without a valid
    anchor gives 0 and zero gradients. Where all embeddings coincide, the loss is the margin and the
    gradient of L2 is 0. Among equally far rows one is chosen.

    When: the images of a class look different from each other, as a bird does from the front and
    from the side, and unseen classes are what counts. Each image has only to be near some of its
    class, which therefore may stay in several clusters: good for recall@1, less so for figures that
    ask for all of a class, such as MAP@R.

    Source: Xuan, Stylianou & Pless, Improved Embeddings with Easy Positive Triplet Mining (2020),
    with semi-hard negatives. The choice is theirs; the term is the hinge that the other strategies
    here have, where theirs is a softmax over two similarities.

    Args:
        y_true: integer labels [B] or [B, 1].
        y_pred: embeddings [B, D], as a rule of unit length; bfloat16 and float16 are compared in
            float32.
        margin: at least 0.
        distance_metric: "L2", "squared-L2", "angular", or embeddings [B, D] -> distances [B, B].

    Returns:
        Scalar, float32 (float64 for float64 embeddings). O(B^2 D) time, O(B^2) memory.

    Raises:
        TypeError: labels are not integers.
        ValueError: shapes that do not fit, an unknown metric.

    >>> labels = [0, 0, 0, 1, 1]
    >>> embeddings = [[0.0], [1.0], [3.0], [1.5], [5.0]]
    >>> float(triplet_easy_positive_loss(labels, embeddings))
    1.0
    """
    return triplet_easy_positive_statistics(y_true, y_pred, margin, distance_metric).loss


def triplet_easy_positive_statistics(
    y_true: tf.Tensor,
    y_pred: tf.Tensor,
    margin: float = 1.0,
    distance_metric: Metric = "L2",
) -> TripletStatistics:
    """`triplet_easy_positive_loss` and what a training log needs, from the same distances.

    Arguments, errors and cost are those of the loss.

    >>> embeddings = [[0.0], [1.0], [3.0], [1.5], [5.0]]
    >>> statistics = triplet_easy_positive_statistics([0, 0, 0, 1, 1], embeddings)
    >>> round(float(statistics.active_fraction), 4)
    0.8
    """
    batch = mining_batch(y_true, y_pred, distance_metric)
    positives = _nearest_positives(batch)
    alone = batch._replace(
        positives=positives[:, tf.newaxis],
        filled=batch.valid[:, tf.newaxis],
        slots=tf.constant(1),
    )
    negatives = nearest_beyond(alone)[:, 0]
    terms = tf.nn.relu(batch.to(positives) - batch.to(negatives) + margin)
    loss = masked_mean(terms, batch.valid)
    return statistics_of_batch(batch, loss, fraction(terms > 0.0, batch.valid, loss.dtype))


def _nearest_positives(batch: MiningBatch) -> tf.Tensor:
    """[B]; any column where there is no positive."""
    distances = tf.where(batch.filled, batch.at(batch.positives), batch.distances.dtype.max)
    slot = tf.argmin(distances, axis=1, output_type=index_type())
    return tf.gather(batch.positives, slot, batch_dims=1)


def strategy(margin: float, metric: str) -> Strategy:
    """`loss.strategy: easy_positive`."""
    return lambda y, x, seed, step: triplet_easy_positive_statistics(y, x, margin, metric)


@keras.saving.register_keras_serializable("triplet_train")
class TripletEasyPositiveLoss(MinedLoss):
    """`triplet_easy_positive_loss` for `model.compile`; arguments as in `MinedLoss`.

    >>> loss = TripletEasyPositiveLoss(margin=0.2)
    >>> round(float(loss([0, 0, 1, 1], [[0.0], [1.0], [3.0], [1.5]])), 4)
    0.05
    """

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        return triplet_easy_positive_loss(y_true, y_pred, self.margin, self.distance_metric)
