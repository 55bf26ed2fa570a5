"""The search behind semi-hard mining: for each positive, the nearest negative beyond it."""

import tensorflow as tf

from triplet_train.losses.each_slot import for_each_slot
from triplet_train.losses.mining_batch import MiningBatch
from triplet_train.losses.ordered_integers import as_ordered_integers
from triplet_train.losses.xla import compiled_by_xla

_FEW_SLOTS = 12  # up to here a pass over the matrix for each costs less than the buckets


def nearest_beyond(batch: MiningBatch) -> tf.Tensor:
    """int32 [B, S]: the column of the smallest negative distance strictly above each positive one.

    Where there is none, the column of the largest negative distance; where the slot holds no
    positive, any column. O(B^2 log S) time for float32; O(B^2 S) for few slots, where that is less,
    for float64 and under XLA, which sorts and searches no faster. O(B^2) memory.
    """
    lowest, highest = batch.distances.dtype.min, batch.distances.dtype.max
    distances = tf.stop_gradient(batch.distances)
    positives = tf.where(batch.filled, tf.stop_gradient(batch.at(batch.positives)), highest)
    negatives = tf.where(batch.same, tf.constant(lowest, distances.dtype), distances)

    def by_slots() -> tf.Tensor:
        return _beyond_by_slots(negatives, positives, batch.slots)

    if compiled_by_xla() or distances.dtype != tf.float32:
        beyond = by_slots()
    else:
        beyond = tf.cond(
            batch.slots <= _FEW_SLOTS, by_slots, lambda: _beyond_by_buckets(negatives, positives)
        )
    farthest = tf.argmax(negatives, axis=1, output_type=tf.int32)
    return tf.where(beyond < 0, farthest[:, tf.newaxis], beyond)


def _beyond_by_slots(negatives: tf.Tensor, positives: tf.Tensor, slots: tf.Tensor) -> tf.Tensor:
    """int32 [B, S], -1 where nothing is beyond: a masked minimum of every row for each slot."""
    rows = tf.range(tf.shape(negatives)[0])

    def nearest(positive: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        limit = positive[:, tf.newaxis]
        masked = tf.where(negatives > limit, negatives, negatives.dtype.max)
        column = tf.argmin(masked, axis=1, output_type=tf.int32)
        found = tf.gather_nd(negatives, tf.stack([rows, column], axis=1)) > positive
        return tf.where(found, column, -1), state

    columns, _ = for_each_slot(nearest, positives, slots, state=tf.constant(0))
    return columns


def _beyond_by_buckets(negatives: tf.Tensor, positives: tf.Tensor) -> tf.Tensor:
    """The same in O(B^2 log S) and a few passes: the positives are sorted, not the negatives.

    The sorted positives of an anchor cut its negatives into buckets, and only the nearest of a
    bucket can be chosen. As the buckets are in order, so are their nearest: the empty ones aside
    they are a short sorted list, in which every positive is searched.
    """
    rows = tf.shape(negatives)[0]
    negatives, positives = as_ordered_integers(negatives), as_ordered_integers(positives)
    cuts = tf.sort(positives, axis=1)
    buckets = tf.shape(cuts)[1] + 1
    # Bucket 0 is beyond no positive, bucket j strictly beyond the first j.
    bucket = tf.searchsorted(cuts, negatives, side="left")
    segment = tf.range(rows)[:, tf.newaxis] * buckets + bucket
    # The column in the low half: the minimum brings it along.
    packed = _shifted(negatives) + tf.range(rows, dtype=tf.int64)
    nearest = tf.math.unsorted_segment_min(
        tf.reshape(packed, [-1]), tf.reshape(segment, [-1]), rows * buckets
    )
    nearest = tf.reshape(nearest, [rows, buckets])[:, 1:]
    nearest = tf.pad(nearest, [[0, 0], [0, 1]], constant_values=tf.int64.max)
    nearest = tf.sort(nearest, axis=1)  # empty buckets, tf.int64.max, to the end
    next_up = _shifted(positives) + 2**32  # whatever the column
    found = tf.gather(nearest, tf.searchsorted(nearest, next_up, side="left"), batch_dims=1)
    column = tf.cast(tf.bitwise.bitwise_and(found, 2**32 - 1), tf.int32)
    return tf.where(found < tf.int64.max, column, -1)


def _shifted(keys: tf.Tensor) -> tf.Tensor:
    return tf.cast(keys, tf.int64) * 2**32
