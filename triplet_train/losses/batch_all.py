"""Batch-all: every valid triplet of the batch, without enumerating the B^3 of them."""

from typing import Any

import keras
import tensorflow as tf

from triplet_train.losses.mining.batch import MiningBatch, mining_batch
from triplet_train.losses.mining.distances import Metric
from triplet_train.losses.mining.keras_loss import MinedLoss
from triplet_train.losses.mining.ordered_integers import as_ordered_integers, ascending, position
from triplet_train.losses.mining.slot_blocks import for_each_block
from triplet_train.losses.mining.statistics import TripletStatistics, statistics_of_batch
from triplet_train.losses.mining.strategy import Strategy
from triplet_train.losses.mining.xla import compiled_by_xla, index_type


def triplet_batch_all_loss(
    y_true: tf.Tensor,
    y_pred: tf.Tensor,
    margin: float = 1.0,
    distance_metric: Metric = "L2",
    reduction: str = "mean",
) -> tf.Tensor:
    """Mean over valid triplets of max(0, D_ap - D_an + margin): all, or those above zero.

    Exact, and yet no triplet is enumerated: the sum over triplets is a sum over pairs, each
    distance as often as it is in a triplet above zero.

    Which batches: any; P x K ones hold more valid triplets. A batch without one gives 0 and zero
    gradients. Where all embeddings coincide, the loss is the margin and the gradient of L2 is 0.

    When: the batch is small, or each triplet is to weigh the same whatever its anchor. In training
    most triplets soon are at zero and take the mean down with them; `reduction="nonzero"` keeps the
    gradient's size, and then the loss hovers below the margin instead of falling.

    Source: Weinberger & Saul, Distance Metric Learning for Large Margin Nearest Neighbor
    Classification (2009), for the hinge over triplets; Hermans, Beyer & Leibe, In Defense of the
    Triplet Loss (2017), for "batch all" and the mean over nonzero terms.

    Args:
        y_true: integer labels [B] or [B, 1].
        y_pred: embeddings [B, D], as a rule of unit length; bfloat16 and float16 are compared in
            float32.
        margin: at least 0.
        distance_metric: "L2", "squared-L2", "angular", or embeddings [B, D] -> distances [B, B].
        reduction: "mean" over all valid triplets, or over the "nonzero" ones.

    Returns:
        Scalar, float32 (float64 for float64 embeddings). O(B^2 (D + log K)) time where a class has
        at most K rows, O(B^2 (D + K)) under XLA; O(B^2) memory.

    Raises:
        TypeError: labels are not integers.
        ValueError: shapes that do not fit, an unknown metric or reduction.

    >>> labels = [0, 0, 1, 1]
    >>> embeddings = [[0.0], [1.0], [3.0], [1.5]]
    >>> float(triplet_batch_all_loss(labels, embeddings, margin=0.0))
    0.1875
    >>> float(triplet_batch_all_loss(labels, embeddings, margin=0.0, reduction="nonzero"))
    0.75
    """
    return triplet_batch_all_statistics(y_true, y_pred, margin, distance_metric, reduction).loss


def triplet_batch_all_statistics(
    y_true: tf.Tensor,
    y_pred: tf.Tensor,
    margin: float = 1.0,
    distance_metric: Metric = "L2",
    reduction: str = "mean",
) -> TripletStatistics:
    """`triplet_batch_all_loss` and what a training log needs, from the same distances.

    Arguments, errors and cost are those of the loss.

    >>> embeddings = [[0.0], [1.0], [3.0], [1.5]]
    >>> float(triplet_batch_all_statistics([0, 0, 1, 1], embeddings, margin=0.0).active_fraction)
    0.25
    """
    if reduction not in ("mean", "nonzero"):
        raise ValueError(f"reduction must be mean or nonzero, not {reduction!r}")
    batch = mining_batch(y_true, y_pred, distance_metric)
    dtype = batch.distances.dtype
    reached, reaching = _active_triplets(batch, margin)
    # In float64: the difference of two long sums is all that is left of them.
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
    """Number of triplets above zero with each pair: positive [B, S], negative [B, B]."""
    distances = tf.stop_gradient(batch.distances)
    reach = tf.stop_gradient(batch.at(batch.positives)) + margin
    if compiled_by_xla():
        return _active_by_blocks(batch, distances, reach)
    index = index_type()
    none = tf.constant(0, index)
    slots = tf.shape(reach, out_type=index)[1]
    reach = as_ordered_integers(tf.where(batch.counted, reach, distances.dtype.max))
    cuts, order = ascending(reach, slots)
    # A negative in bucket j is reached by all positives but the first j.
    bucket = position(cuts, as_ordered_integers(distances), "right", index)
    positives = tf.reduce_sum(tf.cast(batch.counted, index), axis=1, keepdims=True)
    reaching = tf.where(batch.same, none, positives - bucket)
    # The own class goes to a bucket past the last, which is cut off.
    sizes = tf.math.bincount(
        tf.where(batch.same, slots, bucket), minlength=slots, maxlength=slots, axis=-1
    )
    reached = tf.cumsum(tf.reshape(tf.cast(sizes, index), tf.shape(batch.filled)), axis=1)
    reached = tf.gather(reached, ascending(order, slots)[1], batch_dims=1)
    return tf.where(batch.counted, reached, none), reaching


def _active_by_blocks(
    batch: MiningBatch, distances: tf.Tensor, reach: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """O(B^2 S), in reductions over [B, B, block] that XLA fuses; it has no kernel for bincount,
    and searches no faster than this."""

    def count(block: tf.Tensor, reaching: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        reached = distances[:, :, tf.newaxis] < block[:, tf.newaxis, :]
        active = tf.cast(reached & ~batch.same[:, :, tf.newaxis], tf.int32)
        return tf.reduce_sum(active, axis=1), reaching + tf.reduce_sum(active, axis=2)

    reach = tf.where(batch.counted, reach, distances.dtype.min)
    zeros = tf.zeros(tf.shape(distances), tf.int32)
    return for_each_block(count, reach, batch.slots, batch.block, zeros)


def strategy(margin: float, metric: str) -> Strategy:
    """`loss.strategy: batch_all`."""
    return lambda y, x, seed, step: triplet_batch_all_statistics(y, x, margin, metric)


@keras.saving.register_keras_serializable("triplet_train")
class TripletBatchAllLoss(MinedLoss):
    """`triplet_batch_all_loss` for `model.compile`; arguments as in `MinedLoss`.

    Beside the values of `keras.losses.Loss`, which all mean the mean over all valid triplets,
    `reduction` may be "nonzero".

    >>> loss = TripletBatchAllLoss(margin=0.0, reduction="nonzero")
    >>> float(loss([0, 0, 1, 1], [[0.0], [1.0], [3.0], [1.5]]))
    0.75
    """

    def __init__(
        self,
        margin: float = 1.0,
        distance_metric: Metric = "L2",
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        dtype: Any = None,
    ) -> None:
        nonzero = reduction == "nonzero"
        over_replicas = "sum_over_batch_size" if nonzero else reduction
        super().__init__(margin, distance_metric, name, over_replicas, dtype)
        self.over = "nonzero" if nonzero else "mean"

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        return triplet_batch_all_loss(
            y_true, y_pred, self.margin, self.distance_metric, reduction=self.over
        )

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return config | ({"reduction": "nonzero"} if self.over == "nonzero" else {})
