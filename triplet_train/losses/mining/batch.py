"""A batch laid out for mining: rows in the order of their labels, distances, positives in slots."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from triplet_train.losses.mining.distances import (
    Metric,
    pairwise_distances,
    raise_precision,
    row_distances,
)
from triplet_train.losses.mining.labels import class_labels
from triplet_train.losses.mining.xla import compiled_by_xla, index_type, slots_at_once


class MiningBatch(NamedTuple):
    """A batch in the order of its labels, so that the positives of an anchor lie side by side.

    S is the size of the largest class less one. It is known when a function is traced if the labels
    are. Otherwise it is found out in each call, but for XLA, which would compile anew for every S:
    there it is B - 1. More than `slots_at_once` are rounded up to a multiple of that under XLA.

    Indices and counts are of `index_type()`, but for `slots`.

    Attributes:
        embeddings: float32 or float64 [B, D].
        distances: [B, B].
        same: bool [B, B], whether two rows have the same label.
        positives: indices [B, S], the columns of each anchor's positives; 0 in slots not filled.
        filled: bool [B, S], whether a slot holds a positive.
        negatives: [B], how many each anchor has.
        slots: int32 [], the size of the largest class less one; a constant where it is known when
            the function is traced.
        metric: of the distances.
    """

    embeddings: tf.Tensor
    distances: tf.Tensor
    same: tf.Tensor
    positives: tf.Tensor
    filled: tf.Tensor
    negatives: tf.Tensor
    slots: tf.Tensor
    metric: Metric

    @property
    def block(self) -> int:
        """Number of slots that XLA searches at once; divides S there."""
        most = slots_at_once(self.embeddings.shape[0])
        return min(self.positives.shape[1] or most, most)

    @property
    def counted(self) -> tf.Tensor:
        """bool [B, S], the slots that hold a positive of a valid anchor."""
        return self.filled & (self.negatives > 0)[:, tf.newaxis]

    @property
    def valid(self) -> tf.Tensor:
        """bool [B], the anchors that have a positive and a negative."""
        return tf.reduce_any(self.counted, axis=1)

    def at(self, columns: tf.Tensor) -> tf.Tensor:
        """Distances [..., B, N] from each anchor to the rows in `columns`, [..., B, N]."""
        size = tf.shape(self.distances, out_type=columns.dtype)[0]
        flat = tf.range(size)[:, tf.newaxis] * size + columns
        return tf.gather(tf.reshape(self.distances, [-1]), flat)  # batch_dims=1 is slower

    def to(self, columns: tf.Tensor) -> tf.Tensor:
        """Distances [B] from each anchor to the row that `columns`, [B], names for it.

        Taken anew between these rows, so that no gradient has to pass through the matrix.
        """
        if callable(self.metric):
            return self.at(columns[:, tf.newaxis])[:, 0]
        return row_distances(self.embeddings, tf.gather(self.embeddings, columns), self.metric)


def mining_batch(y_true: tf.Tensor, y_pred: tf.Tensor, distance_metric: Metric) -> MiningBatch:
    """Lay out a batch. O(B^2 D) time, O(B^2) memory.

    Args:
        y_true: integer labels [B] or [B, 1].
        y_pred: embeddings [B, D]; bfloat16 and float16 are compared in float32.
        distance_metric: see `pairwise_distances`.

    Raises:
        TypeError: labels are not integers.
        ValueError: shapes that do not fit, an unknown metric.
    """
    embeddings = raise_precision(y_pred)
    labels = class_labels(y_true, embeddings)
    known = tf.get_static_value(tf.convert_to_tensor(y_true))
    if labels.shape[0] is None:
        # A replica may be left without rows at the end of the data, and argmax needs one.
        missing = tf.cast(tf.equal(tf.size(labels), 0), tf.int32)
        labels = tf.pad(labels, [[0, missing]])
        embeddings = tf.pad(embeddings, [[0, missing], [0, 0]])
    index = index_type()
    order = tf.cast(tf.argsort(labels, stable=True), index)
    labels, embeddings = tf.gather(labels, order), _permute(embeddings, order)
    starts = tf.searchsorted(labels, labels, side="left", out_type=index)
    sizes = tf.searchsorted(labels, labels, side="right", out_type=index) - starts
    rows = _rows(labels, index)
    slots = tf.cast(tf.maximum(tf.reduce_max(sizes) - 1, 1), tf.int32)  # argmax needs one
    if known is not None and known.size:
        slots = tf.constant(max(np.unique(known, return_counts=True)[1].max() - 1, 1), tf.int32)
    # An anchor's slots are the rest of its class, from the row after it around to the one before.
    width = _width(slots, labels) if compiled_by_xla() else slots
    offsets = tf.range(1, 1 + tf.cast(width, index))
    ahead = (rows - starts)[:, tf.newaxis] + offsets
    filled = offsets < sizes[:, tf.newaxis]
    none = tf.constant(0, index)
    ahead -= tf.where(ahead < sizes[:, tf.newaxis], none, sizes[:, tf.newaxis])
    return MiningBatch(
        embeddings,
        pairwise_distances(embeddings, distance_metric),
        starts[:, tf.newaxis] == starts,
        tf.where(filled, starts[:, tf.newaxis] + ahead, none),
        filled,
        tf.size(labels, out_type=index) - sizes,
        slots,
        distance_metric,
    )


def _width(slots: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """S where XLA compiles, which must not depend on what the labels are in a call."""
    known, most = tf.get_static_value(slots), slots_at_once(labels.shape[0])
    if known is not None and known <= most:
        return slots
    width = tf.size(labels) - 1 if known is None else slots
    return tf.maximum(-(-width // most), 1) * most


def _rows(of: tf.Tensor, index: tf.DType) -> tf.Tensor:
    return tf.range(tf.size(of, out_type=index))


@tf.custom_gradient
def _permute(
    x: tf.Tensor, order: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, None]]]:
    """x[order]; the gradient is dense, where that of a gather would be sparse."""

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, None]:
        rows = _rows(order, order.dtype)
        back = tf.scatter_nd(order[:, tf.newaxis], rows, tf.shape(rows, out_type=rows.dtype))
        return tf.gather(upstream, back), None  # tf.math.invert_permutation is for CPUs

    return tf.gather(x, order), gradient
