"""Search of semi-hard mining: for each positive, the nearest negative beyond it."""

import tensorflow as tf

from triplet_train.losses.mining.batch import MiningBatch
from triplet_train.losses.mining.ordered_integers import as_ordered_integers, ascending, position
from triplet_train.losses.mining.slot_blocks import for_each_block
from triplet_train.losses.mining.xla import compiled_by_xla, index_type

_COLUMNS = 2**21  # larger than any batch
_FEW_SLOTS = 12  # up to this number, a pass over the matrix per slot is faster than buckets


def nearest_beyond(batch: MiningBatch) -> tf.Tensor:
    """Find the column of the smallest negative distance strictly above each positive one.

    Without such a negative, it is the column of the largest negative distance. An empty slot gets
    any column.

    Returns:
        Indices [B, S]. O(B^2 log S) time for float32; O(B^2 S) for a few slots, where this is
        faster, for float64, and under XLA, whose sort and search are no faster. O(B^2) memory.
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
    elif few is not None:  # known without waiting for a GPU
        beyond = by_slots() if few else by_buckets()
    else:
        beyond = tf.cond(batch.slots <= _FEW_SLOTS, by_slots, by_buckets)
    farthest = tf.argmax(negatives, axis=1, output_type=index_type())
    return tf.where(beyond < 0, farthest[:, tf.newaxis], beyond)


def _beyond_by_slots(negatives: tf.Tensor, positives: tf.Tensor, slots: tf.Tensor) -> tf.Tensor:
    """Find the columns [B, S], -1 if nothing is beyond, by a masked minimum for each slot."""
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
    """Find the columns [B, S], -1 if nothing is beyond, by reductions over [B, B, width].

    XLA fuses them into one kernel, which reads a negative once for all slots of a block.
    """
    packed = _packed(negatives)

    def nearest(block: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        beyond = negatives[:, :, tf.newaxis] > block[:, tf.newaxis, :]
        found = tf.reduce_min(tf.where(beyond, packed[:, :, tf.newaxis], tf.int64.max), axis=1)
        return tf.where(found < tf.int64.max, _column(found), _nothing()), state

    columns, _ = for_each_block(nearest, positives, slots, width, state=tf.constant(0))
    return columns


def _beyond_by_buckets(negatives: tf.Tensor, positives: tf.Tensor) -> tf.Tensor:
    """Find the columns [B, S], -1 if nothing is beyond, in O(B^2 log S) and a few passes.

    The positives are sorted, not the negatives. The sorted positives of an anchor divide its
    negatives into buckets, and only the nearest negative of a bucket can be chosen. The buckets are
    in order, so these negatives form a short sorted list, in which each positive is searched.
    """
    index = index_type()
    rows, slots = tf.unstack(tf.shape(positives, out_type=index))
    buckets = slots + 1
    cuts, _ = ascending(as_ordered_integers(positives), slots)
    # Negatives in bucket j are strictly beyond the first j positives.
    bucket = position(cuts, as_ordered_integers(negatives), "left", index)
    segment = tf.range(rows)[:, tf.newaxis] * buckets + bucket
    # float64 holds these integers exactly; a GPU has no kernel for this minimum of int64.
    packed = tf.cast(_packed(negatives), tf.float64)
    nearest = tf.math.unsorted_segment_min(
        tf.reshape(packed, [-1]), tf.reshape(segment, [-1]), rows * buckets
    )
    nearest = tf.reshape(nearest, [rows, buckets])[:, 1:]
    nearest = tf.pad(nearest, [[0, 0], [0, 1]], constant_values=tf.float64.max)
    nearest = tf.sort(nearest, axis=1)  # moves empty buckets, tf.float64.max, to the end
    next_up = tf.cast(_above_columns(positives) + _COLUMNS, tf.float64)  # of any column
    found = tf.gather(nearest, position(nearest, next_up, "left", index), batch_dims=1)
    empty = found == tf.float64.max
    found = tf.cast(tf.where(empty, tf.zeros_like(found), found), tf.int64)
    return tf.where(empty, _nothing(), _column(found))


def _nothing() -> tf.Tensor:
    return tf.constant(-1, index_type())


def _packed(distances: tf.Tensor) -> tf.Tensor:
    """Pack distances and columns into int64 [B, B], so that a minimum returns the column as well.

    The order is that of the distances. All values are below 2**53, so float64 holds them exactly.
    """
    return _above_columns(distances) + tf.range(tf.shape(distances)[1], dtype=tf.int64)


def _above_columns(distances: tf.Tensor) -> tf.Tensor:
    return tf.cast(as_ordered_integers(distances), tf.int64) * _COLUMNS


def _column(packed: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.bitwise.bitwise_and(packed, _COLUMNS - 1), index_type())
