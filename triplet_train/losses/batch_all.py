"""Batch-all: every valid triplet of the batch, without enumerating the B^3 of them."""

from typing import Any

import tensorflow as tf

from triplet_train.losses.mining.batch import MiningBatch, mining_batch
from triplet_train.losses.mining.distances import DistanceMetric
from triplet_train.losses.mining.forms import documented, loss_of
from triplet_train.losses.mining.keras_loss import MinedLoss, serializable
from triplet_train.losses.mining.ordered_integers import as_ordered_integers, ascending, position
from triplet_train.losses.mining.slot_blocks import for_each_block
from triplet_train.losses.mining.statistics import TripletStatistics, statistics_of_batch
from triplet_train.losses.mining.xla import compiled_by_xla, index_type


@documented(reduction='"mean" over all valid triplets, or over the "nonzero" terms.')
def triplet_batch_all_statistics(
    y_true: tf.Tensor,
    y_pred: tf.Tensor,
    margin: float = 1.0,
    distance_metric: DistanceMetric = "L2",
    reduction: str = "mean",
) -> TripletStatistics:
    """Combine each positive pair with each negative of its anchor.

    The loss is the mean of max(0, D_ap - D_an + margin) over all valid triplets, or over those with
    a term above zero. It is exact, although no triplet is enumerated: the sum over triplets is a
    sum over pairs, in which each distance is weighted by the number of its triplets above zero. If
    all embeddings coincide, the loss is the margin and the gradient of L2 is 0.

    Batches: any; P x K batches hold more valid triplets.

    Use: if batches are small, or if every triplet should have the same weight whatever its anchor.
    During training most terms soon become zero and lower the mean. `reduction="nonzero"` keeps the
    size of the gradient; the loss then stays just below the margin instead of falling.

    Cost: O(B^2 (D + log K)) time if a class has at most K images, O(B^2 (D + K)) under XLA; O(B^2)
    memory.

    Source: Weinberger & Saul, Distance Metric Learning for Large Margin Nearest Neighbor
    Classification (2009), for the hinge over triplets; Hermans, Beyer & Leibe, In Defense of the
    Triplet Loss for Person Re-Identification (2017), for "batch all" and the mean over nonzero
    terms.

    >>> labels, embeddings = [0, 0, 1, 1], [[0.0], [1.0], [3.0], [1.5]]
    >>> float(triplet_batch_all_loss(labels, embeddings, margin=0.0))
    0.1875
    >>> float(triplet_batch_all_loss(labels, embeddings, margin=0.0, reduction="nonzero"))
    0.75
    >>> float(triplet_batch_all_statistics(labels, embeddings, margin=0.0).active_fraction)
    0.25
    """
    if reduction not in ("mean", "nonzero"):
        raise ValueError(f"reduction must be mean or nonzero, not {reduction!r}")
    batch = mining_batch(y_true, y_pred, distance_metric)
    dtype = batch.distances.dtype
    reached, reaching = _active_triplets(batch, margin)
    # In float64, because the result is the small difference of two long sums.
    pulls = _sum64(batch.at(batch.positives) + margin, reached)
    pushes = _sum64(batch.distances, reaching)
    positives = tf.reduce_sum(tf.cast(batch.counted, index_type()), axis=1)
    triplets, active = _sum64(positives, batch.negatives), _sum64(reached, 1)
    counted = active if reduction == "nonzero" else triplets
    return statistics_of_batch(
        batch,
        tf.cast(tf.math.divide_no_nan(pulls - pushes, counted), dtype),
        tf.cast(tf.math.divide_no_nan(active, triplets), dtype),
    )


def _sum64(values: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.cast(values, tf.float64) * tf.cast(weights, tf.float64))


def _active_triplets(batch: MiningBatch, margin: float) -> tuple[tf.Tensor, tf.Tensor]:
    """Count the triplets above zero of each pair: positive [B, S], negative [B, B]."""
    distances = tf.stop_gradient(batch.distances)
    reach = tf.stop_gradient(batch.at(batch.positives)) + margin
    if compiled_by_xla():
        return _active_by_blocks(batch, distances, reach)
    index = index_type()
    none = tf.constant(0, index)
    slots = tf.shape(reach, out_type=index)[1]
    reach = as_ordered_integers(tf.where(batch.counted, reach, distances.dtype.max))
    cuts, order = ascending(reach, slots)
    # A negative in bucket j is within reach of all positives except the first j.
    bucket = position(cuts, as_ordered_integers(distances), "right", index)
    positives = tf.reduce_sum(tf.cast(batch.counted, index), axis=1, keepdims=True)
    reaching = tf.where(batch.same, none, positives - bucket)
    # The anchor's own class goes to a bucket past the last one, which bincount drops.
    sizes = tf.math.bincount(
        tf.where(batch.same, slots, bucket), minlength=slots, maxlength=slots, axis=-1
    )
    reached = tf.cumsum(tf.reshape(tf.cast(sizes, index), tf.shape(batch.filled)), axis=1)
    reached = tf.gather(reached, ascending(order, slots)[1], batch_dims=1)
    return tf.where(batch.counted, reached, none), reaching


def _active_by_blocks(
    batch: MiningBatch, distances: tf.Tensor, reach: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Count as `_active_triplets`, in O(B^2 S), by reductions over [B, B, block] that XLA fuses.

    XLA has no kernel for bincount, and its search is no faster than this.
    """

    def count(block: tf.Tensor, reaching: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        reached = distances[:, :, tf.newaxis] < block[:, tf.newaxis, :]
        active = tf.cast(reached & ~batch.same[:, :, tf.newaxis], tf.int32)
        return tf.reduce_sum(active, axis=1), reaching + tf.reduce_sum(active, axis=2)

    reach = tf.where(batch.counted, reach, distances.dtype.min)
    zeros = tf.zeros(tf.shape(distances), tf.int32)
    return for_each_block(count, reach, batch.slots, batch.block, zeros)


triplet_batch_all_loss = loss_of(triplet_batch_all_statistics)


@serializable
class TripletBatchAllLoss(MinedLoss):
    """Compute `triplet_batch_all_loss` in `model.compile`; see `MinedLoss` for the arguments.

    `reduction` may also be "nonzero", for the mean over the terms above zero. Every other value
    stands for the mean over all valid triplets.

    >>> loss = TripletBatchAllLoss(margin=0.0, reduction="nonzero")
    >>> float(loss([0, 0, 1, 1], [[0.0], [1.0], [3.0], [1.5]]))
    0.75
    """

    statistics = staticmethod(triplet_batch_all_statistics)

    def __init__(
        self,
        margin: float = 1.0,
        distance_metric: DistanceMetric = "L2",
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        dtype: Any = None,
    ) -> None:
        nonzero = reduction == "nonzero"  # a value that Keras does not know
        super().__init__(margin, distance_metric, name, None if nonzero else reduction, dtype)
        if nonzero:
            self.reduction = reduction

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        over = "nonzero" if self.reduction == "nonzero" else "mean"
        return triplet_batch_all_loss(y_true, y_pred, self.margin, self.distance_metric, over)
