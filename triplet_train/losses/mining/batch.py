"""A batch laid out for mining: sorted by label, with distances and positives in slots."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from triplet_train.losses.mining.distances import (
    DistanceMetric,
    pairwise_distances,
    raise_precision,
    row_distances,
)
from triplet_train.losses.mining.labels import class_labels
from triplet_train.losses.mining.xla import compiled_by_xla, index_type, slots_at_once


class MiningBatch(NamedTuple):
    """A batch sorted by label, so that the positives of an anchor lie side by side.

    The number of slots S is the size of the largest class minus one. If the labels are known when a
    function is traced, S is known too. Otherwise each call computes it. XLA would compile again for
    every S, so under XLA it is B - 1 instead. Above `slots_at_once`, XLA rounds S up to a multiple
    of that number.

    Indices and counts have the type `index_type()`, except `slots`.

    Attributes:
        embeddings: float32 or float64 [B, D].
        distances: [B, B].
        same: bool [B, B], true where two images have the same label.
        positives: indices [B, S], the columns of each anchor's positives; 0 in empty slots.
        filled: bool [B, S], true where a slot holds a positive.
        negatives: [B], the number of negatives of each anchor.
        slots: int32 [], the size of the largest class minus one; a constant if it is known when the
            function is traced.
        metric: the metric of the distances.
    """

    embeddings: tf.Tensor
    distances: tf.Tensor
    same: tf.Tensor
    positives: tf.Tensor
    filled: tf.Tensor
    negatives: tf.Tensor
    slots: tf.Tensor
    metric: DistanceMetric

    @property
    def block(self) -> int:
        """Number of slots that XLA searches at once; under XLA it divides S."""
        most = slots_at_once(self.embeddings.shape[0])
        return min(self.positives.shape[1] or most, most)

    @property
    def counted(self) -> tf.Tensor:
        """Slots that hold a positive of a valid anchor, bool [B, S]."""
        return self.filled & (self.negatives > 0)[:, tf.newaxis]

    @property
    def valid(self) -> tf.Tensor:
        """Anchors that have a positive and a negative, bool [B]."""
        return tf.reduce_any(self.counted, axis=1)

    def at(self, columns: tf.Tensor) -> tf.Tensor:
        """Look up the distances [..., B, N] from each anchor to its `columns` [..., B, N]."""
        size = tf.shape(self.distances, out_type=columns.dtype)[0]
        flat = tf.range(size)[:, tf.newaxis] * size + columns
        return tf.gather(tf.reshape(self.distances, [-1]), flat)  # batch_dims=1 is slower

    def to(self, columns: tf.Tensor) -> tf.Tensor:
        """Compute the distances [B] from each anchor to its column in `columns` [B].

        They are computed again, so that no gradient has to pass through the matrix.
        """
        if callable(self.metric):
            return self.at(columns[:, tf.newaxis])[:, 0]
        return row_distances(self.embeddings, tf.gather(self.embeddings, columns), self.metric)


def mining_batch(
    y_true: tf.Tensor, y_pred: tf.Tensor, distance_metric: DistanceMetric
) -> MiningBatch:
    """Sort a batch by label and compute its distances. O(B^2 D) time, O(B^2) memory.

    Args:
        y_true: integer labels [B] or [B, 1].
        y_pred: embeddings [B, D]; bfloat16 and float16 are converted to float32.
        distance_metric: see `pairwise_distances`.

    Raises:
        TypeError: the labels are not integers.
        ValueError: the shapes do not fit, or the metric is unknown.
    """
    embeddings = raise_precision(y_pred)
    labels = class_labels(y_true, embeddings)
    known = tf.get_static_value(tf.convert_to_tensor(y_true))
    if labels.shape[0] is None:
        # At the end of the data a replica may get no images, and argmax needs one.
        missing = tf.cast(tf.equal(tf.size(labels), 0), tf.int32)
        labels = tf.pad(labels, [[0, missing]])
        embeddings = tf.pad(embeddings, [[0, missing], [0, 0]])
    index = index_type()
    order = tf.cast(tf.argsort(labels, stable=True), index)
    labels, embeddings = tf.gather(labels, order), _permute(embeddings, order)
    starts = tf.searchsorted(labels, labels, side="left", out_type=index)
    sizes = tf.searchsorted(labels, labels, side="right", out_type=index) - starts
    rows = _rows(labels, index)
    slots = tf.cast(tf.maximum(tf.reduce_max(sizes) - 1, 1), tf.int32)  # for argmax
    if known is not None and known.size:
        slots = tf.constant(max(np.unique(known, return_counts=True)[1].max() - 1, 1), tf.int32)
    # The slots of an anchor are the rest of its class: those after it, then those before it.
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
    """Number of slots under XLA, which must not depend on the labels of a call."""
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
    """Return x[order]; its gradient is dense, unlike that of tf.gather."""

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, None]:
        rows = _rows(order, order.dtype)
        back = tf.scatter_nd(order[:, tf.newaxis], rows, tf.shape(rows, out_type=rows.dtype))
        return tf.gather(upstream, back), None  # tf.math.invert_permutation runs on CPUs only

    return tf.gather(x, order), gradient
