"""Batch-hard: each anchor with its farthest positive and its nearest negative."""

from typing import Any

import keras
import tensorflow as tf

from triplet_train.losses.mining.batch import MiningBatch, mining_batch
from triplet_train.losses.mining.distances import Metric
from triplet_train.losses.mining.keras_loss import MinedLoss
from triplet_train.losses.mining.statistics import (
    TripletStatistics,
    fraction,
    masked_mean,
    statistics_of_batch,
)
from triplet_train.losses.mining.strategy import Strategy
from triplet_train.losses.mining.xla import index_type
from triplet_train.losses.semi_hard import triplet_semihard_statistics


def triplet_hard_loss(
    y_true: tf.Tensor,
    y_pred: tf.Tensor,
    margin: float = 1.0,
    soft: bool = False,
    distance_metric: Metric = "L2",
) -> tf.Tensor:
    """Mean over valid anchors of max(0, max_p D_ap - min_n D_an + margin).

    With `soft`, the term is log(1 + exp(max_p D_ap - min_n D_an)) and the margin is unused.

    Which batches: P x K ones, K at least 2 and better 4 or more; the more images, the harder the
    triplets. An anchor without a positive or without a negative contributes nothing; a batch
    without a valid anchor gives 0 and zero gradients. Where all embeddings coincide, the loss is
    the margin (`soft`: ln 2) and the gradient of L2 is 0. Among equally far rows one is chosen.

    When: labels are clean and training has left its first steps. From scratch it can collapse all
    embeddings to a point, and the loss then sticks at the margin: warm up with semi-hard, or lower
    the learning rate. A mislabelled image is always the hardest.

    Source: Hermans, Beyer & Leibe, In Defense of the Triplet Loss for Person Re-Identification
    (2017). Value and gradient equal tensorflow_addons 0.23 where every anchor is valid.

    Args:
        y_true: integer labels [B] or [B, 1].
        y_pred: embeddings [B, D], as a rule of unit length; bfloat16 and float16 are compared in
            float32.
        margin: at least 0.
        soft: softplus in place of hinge and margin.
        distance_metric: "L2", "squared-L2", "angular", or embeddings [B, D] -> distances [B, B].

    Returns:
        Scalar, float32 (float64 for float64 embeddings). O(B^2 D) time, O(B^2) memory.

    Raises:
        TypeError: labels are not integers.
        ValueError: shapes that do not fit, an unknown metric.

    >>> labels = [0, 0, 1, 1]
    >>> embeddings = [[0.0], [1.0], [3.0], [1.5]]
    >>> float(triplet_hard_loss(labels, embeddings))
    1.125
    >>> round(float(triplet_hard_loss(labels, embeddings, soft=True)), 4)
    0.8089
    """
    return triplet_hard_statistics(y_true, y_pred, margin, soft, distance_metric).loss


def triplet_hard_statistics(
    y_true: tf.Tensor,
    y_pred: tf.Tensor,
    margin: float = 1.0,
    soft: bool = False,
    distance_metric: Metric = "L2",
) -> TripletStatistics:
    """`triplet_hard_loss` and what a training log needs, from the same distances.

    Arguments, errors and cost are those of the loss.

    >>> embeddings = [[0.0], [1.0], [3.0], [1.5]]
    >>> float(triplet_hard_statistics([0, 0, 1, 1], embeddings).positive_distance)
    1.25
    """
    batch = mining_batch(y_true, y_pred, distance_metric)
    gap = batch.to(_farthest_positives(batch)) - batch.to(_nearest_negatives(batch))
    terms = tf.math.softplus(gap) if soft else tf.nn.relu(gap + margin)
    active = gap > 0.0 if soft else terms > 0.0
    loss = masked_mean(terms, batch.valid)
    return statistics_of_batch(batch, loss, fraction(active, batch.valid, loss.dtype))


def _farthest_positives(batch: MiningBatch) -> tf.Tensor:
    """[B]; any column where there is no positive."""
    distances = tf.where(batch.filled, batch.at(batch.positives), batch.distances.dtype.min)
    slot = tf.argmax(distances, axis=1, output_type=index_type())
    return tf.gather(batch.positives, slot, batch_dims=1)


def _nearest_negatives(batch: MiningBatch) -> tf.Tensor:
    """[B]; any column where there is no negative."""
    distances = tf.where(batch.same, batch.distances.dtype.max, batch.distances)
    return tf.argmin(distances, axis=1, output_type=index_type())


def strategy(margin: float, metric: str, soft: bool, warmup_steps: int) -> Strategy:
    """`loss.strategy: hard`, behind so many steps of semi-hard mining."""

    def hard(y: tf.Tensor, x: tf.Tensor) -> TripletStatistics:
        return triplet_hard_statistics(y, x, margin, soft, metric)

    if not warmup_steps:
        return lambda y, x, seed, step: hard(y, x)
    return lambda y, x, seed, step: tf.cond(
        step < warmup_steps,
        lambda: triplet_semihard_statistics(y, x, margin, metric),
        lambda: hard(y, x),
    )


@keras.saving.register_keras_serializable("triplet_train")
class TripletHardLoss(MinedLoss):
    """`triplet_hard_loss` for `model.compile`; arguments as there and in `MinedLoss`.

    >>> loss = TripletHardLoss(margin=0.2)
    >>> round(float(loss([0, 0, 1, 1], [[0.0], [1.0], [3.0], [1.5]])), 4)
    0.475
    """

    def __init__(
        self,
        margin: float = 1.0,
        soft: bool = False,
        distance_metric: Metric = "L2",
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        dtype: Any = None,
    ) -> None:
        super().__init__(margin, distance_metric, name, reduction, dtype)
        self.soft = soft

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        return triplet_hard_loss(y_true, y_pred, self.margin, self.soft, self.distance_metric)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"soft": self.soft}
