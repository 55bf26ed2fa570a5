"""Batch-hard mining: each anchor with its farthest positive and its nearest negative."""

from typing import Any

import tensorflow as tf

from triplet_train.losses.mining.batch import MiningBatch, mining_batch
from triplet_train.losses.mining.distances import DistanceMetric
from triplet_train.losses.mining.forms import documented, loss_of
from triplet_train.losses.mining.keras_loss import MinedLoss, serializable
from triplet_train.losses.mining.statistics import TripletStatistics, statistics_of_terms
from triplet_train.losses.mining.xla import index_type


@documented(soft="True replaces the hinge and its margin by a softplus.")
def triplet_hard_statistics(
    y_true: tf.Tensor,
    y_pred: tf.Tensor,
    margin: float = 1.0,
    soft: bool = False,
    distance_metric: DistanceMetric = "L2",
) -> TripletStatistics:
    """Pair each anchor with its farthest positive and its nearest negative.

    The loss is the mean of max(0, max_p D_ap - min_n D_an + margin) over valid anchors. With
    `soft`, the term is log(1 + exp(max_p D_ap - min_n D_an)) and the margin is not used. If all
    embeddings coincide, the loss is the margin (`soft`: ln 2) and the gradient of L2 is 0.

    Batches: P x K batches with K at least 2, better 4 or more. The more images, the harder the
    triplets.

    Use: if the labels are clean and the tower has already learned something. From scratch the
    embeddings can collapse to a point; the loss then stays at the margin. Begin with semi-hard
    mining, or lower the learning rate. A mislabelled image is always the hardest one.

    Cost: O(B^2 D) time, O(B^2) memory.

    Source: Hermans, Beyer & Leibe, In Defense of the Triplet Loss for Person Re-Identification
    (2017). Value and gradient equal those of tensorflow_addons 0.23 if every anchor is valid.

    >>> labels, embeddings = [0, 0, 1, 1], [[0.0], [1.0], [3.0], [1.5]]
    >>> float(triplet_hard_loss(labels, embeddings))
    1.125
    >>> round(float(triplet_hard_loss(labels, embeddings, soft=True)), 4)
    0.8089
    >>> float(triplet_hard_statistics(labels, embeddings).positive_distance)
    1.25
    """
    batch = mining_batch(y_true, y_pred, distance_metric)
    gap = batch.to(_farthest_positives(batch)) - batch.to(_nearest_negatives(batch))
    terms = tf.math.softplus(gap) if soft else tf.nn.relu(gap + margin)
    return statistics_of_terms(batch, terms, batch.valid, active=gap > 0.0 if soft else None)


def _farthest_positives(batch: MiningBatch) -> tf.Tensor:
    """Columns [B] of the farthest positives; any column for an anchor without a positive."""
    distances = tf.where(batch.filled, batch.at(batch.positives), batch.distances.dtype.min)
    slot = tf.argmax(distances, axis=1, output_type=index_type())
    return tf.gather(batch.positives, slot, batch_dims=1)


def _nearest_negatives(batch: MiningBatch) -> tf.Tensor:
    """Columns [B] of the nearest negatives; any column for an anchor without a negative."""
    distances = tf.where(batch.same, batch.distances.dtype.max, batch.distances)
    return tf.argmin(distances, axis=1, output_type=index_type())


triplet_hard_loss = loss_of(triplet_hard_statistics)


@serializable
class TripletHardLoss(MinedLoss):
    """Compute `triplet_hard_loss` in `model.compile`; see there and `MinedLoss` for the arguments.

    >>> loss = TripletHardLoss(margin=0.2)
    >>> round(float(loss([0, 0, 1, 1], [[0.0], [1.0], [3.0], [1.5]])), 4)
    0.475
    """

    statistics = staticmethod(triplet_hard_statistics)
    options = ("soft",)

    def __init__(
        self,
        margin: float = 1.0,
        soft: bool = False,
        distance_metric: DistanceMetric = "L2",
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        dtype: Any = None,
    ) -> None:
        super().__init__(margin, distance_metric, name, reduction, dtype)
        self.soft = soft
