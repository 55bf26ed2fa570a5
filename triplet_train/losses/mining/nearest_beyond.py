"""The search behind semi-hard mining: for each positive, the nearest negative beyond it."""

import tensorflow as tf

from triplet_train.losses.mining.batch import MiningBatch
from triplet_train.losses.mining.ordered_integers import as_ordered_integers, ascending, position
from triplet_train.losses.mining.slot_blocks import for_each_block
from triplet_train.losses.mining.xla import compiled_by_xla, index_type

_COLUMNS = 2**21  # more than a batch has rows
_FEW_SLOTS = 12  # up to here a pass over the matrix for each costs less than the buckets


def nearest_beyond(batch: MiningBatch) -> tf.Tensor:
    """[B, S]: the column of the smallest negative distance strictly above each positive one.

    Where there is none, the column of the largest negative distance; where the slot holds no
    positive, any column. O(B^2 log S) time for float32; O(B^2 S) for few slots, where that is less,
    for float64 and under XLA, whose sorting and searching take as long. O(B^2) memory.
    """
    lowest, highest = batch.distances.dtype.min, batch.distances.dtype.max
    distances = tf.stop_gradient(batch.distances)
    positives = tf.where(batch.filled, tf.stop_gradient(batch.at(batch.positives)), highest)
    negatives = tf.where(batch.same, tf.constant(lowest, distances.dtype), distances)

    def by_slots() -> tf.Tensor:
        return _beyond_by_slots(negatives, positives, batch.slots)

    def by_buckets() -> tf.Tensor:
        return _beyond_by_buckets(negatives, positives)

    few = tf.get_static_value(batch.slots <= _FEW_SLOTS)
    if distances.dtype != tf.float32:
        beyond = by_slots()
    elif compiled_by_xla():
        beyond = _beyond_by_blocks(negatives, positives, batch.slots, batch.block)
    elif few is not None:  # no waiting for a GPU to say which
        beyond = by_slots() if few else by_buckets()
    else:
        beyond = tf.cond(batch.slots <= _FEW_SLOTS, by_slots, by_buckets)
    farthest = tf.argmax(negatives, axis=1, output_type=index_type())
    return tf.where(beyond < 0, farthest[:, tf.newaxis], beyond)


def _beyond_by_slots(negatives: tf.Tensor, positives: tf.Tensor, slots: tf.Tensor) -> tf.Tensor:
    """[B, S], -1 where nothing is beyond: a masked minimum of every row for each slot."""
    rows = tf.range(tf.shape(negatives, out_type=index_type())[0])

    def nearest(limit: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        masked = tf.where(negatives > limit, negatives, negatives.dtype.max)
        column = tf.argmin(masked, axis=1, output_type=index_type())
        found = tf.gather_nd(negatives, tf.stack([rows, column], axis=1)) > limit[:, 0]
        return tf.where(found, column, _nothing())[:, tf.newaxis], state

    columns, _ = for_each_block(nearest, positives, slots, width=1, state=tf.constant(0))
    return columns


def _beyond_by_blocks(
    negatives: tf.Tensor, positives: tf.Tensor, slots: tf.Tensor, width: int
) -> tf.Tensor:
    """Columns [B, S], -1 where nothing is beyond, by reductions over [B, B, width] that XLA fuses.

    One kernel reads a negative once for all slots of a block.
    """
    packed = _packed(negatives)

    def nearest(block: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        beyond = negatives[:, :, tf.newaxis] > block[:, tf.newaxis, :]
        found = tf.reduce_min(tf.where(beyond, packed[:, :, tf.newaxis], tf.int64.max), axis=1)
        return tf.where(found < tf.int64.max, _column(found), _nothing()), state

    columns, _ = for_each_block(nearest, positives, slots, width, state=tf.constant(0))
    return columns


def _beyond_by_buckets(negatives: tf.Tensor, positives: tf.Tensor) -> tf.Tensor:
    """The same in O(B^2 log S) and a few passes: the positives are sorted, not the negatives.

    The sorted positives of an anchor cut its negatives into buckets, and only the nearest of a
    bucket can be chosen. As the buckets are in order, so are their nearest: the empty ones aside
    they are a short sorted list, in which every positive is searched.
    """
    index = index_type()
    rows, slots = tf.unstack(tf.shape(positives, out_type=index))
    buckets = slots + 1
    cuts, _ = ascending(as_ordered_integers(positives), slots)
    # Bucket 0 is beyond no positive, bucket j strictly beyond the first j.
    bucket = position(cuts, as_ordered_integers(negatives), "left", index)
    segment = tf.range(rows)[:, tf.newaxis] * buckets + bucket
    # As float64, which holds them exactly: of int64 there is no such minimum on a GPU.
    packed = tf.cast(_packed(negatives), tf.float64)
    nearest = tf.math.unsorted_segment_min(
        tf.reshape(packed, [-1]), tf.reshape(segment, [-1]), rows * buckets
    )
    nearest = tf.reshape(nearest, [rows, buckets])[:, 1:]
    nearest = tf.pad(nearest, [[0, 0], [0, 1]], constant_values=tf.float64.max)
    nearest = tf.sort(nearest, axis=1)  # empty buckets, tf.float64.max, to the end
    next_up = tf.cast(_above_columns(positives) + _COLUMNS, tf.float64)  # whatever the column
    found = tf.gather(nearest, position(nearest, next_up, "left", index), batch_dims=1)
    empty = found == tf.float64.max
    found = tf.cast(tf.where(empty, tf.zeros_like(found), found), tf.int64)
    return tf.where(empty, _nothing(), _column(found))


def _nothing() -> tf.Tensor:
    return tf.constant(-1, index_type())


def _packed(distances: tf.Tensor) -> tf.Tensor:
    """int64 [B, B] in the order of the distances, with the column in the low bits: a minimum
    brings it along. Below 2**53, so that float64 holds it too."""
    return _above_columns(distances) + tf.range(tf.shape(distances)[1], dtype=tf.int64)


def _above_columns(distances: tf.Tensor) -> tf.Tensor:
    return tf.cast(as_ordered_integers(distances), tf.int64) * _COLUMNS


def _column(packed: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.bitwise.bitwise_and(packed, _COLUMNS - 1), index_type())
