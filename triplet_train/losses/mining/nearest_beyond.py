"""Search of semi-hard mining: for each positive, the nearest negative beyond it."""

import functools

import tensorflow as tf

from triplet_train.losses.mining.batch import MiningBatch
from triplet_train.losses.mining.ordered_integers import (
    as_distances,
    as_ordered_integers,
    position,
)
from triplet_train.losses.mining.row_blocks import in_row_blocks
from triplet_train.losses.mining.slot_blocks import for_each_block
from triplet_train.losses.mining.xla import choose, compiled_by_xla, index_type, known

_COLUMNS = 2**21  # larger than any batch
_FEW_SLOTS = 12  # up to this number, a pass over the matrix per slot is faster than buckets


def nearest_beyond(batch: MiningBatch) -> tuple[tf.Tensor, tf.Tensor]:
    """Pair each positive with the negative at the smallest distance strictly above its own.

    Without such a negative, it is the negative at the largest distance.

    Returns:
        Columns and distances, each [B, 2 S]: of the positives, then of their negatives. The
        positives of an anchor may be in another order than in the batch. They are in the same
        slots, those that are `filled`; the other slots have any columns and distances. O(B^2 log S)
        time for float32; O(B^2 S) for a few slots, where this is faster, for float64, and under
        XLA, whose sort and search are no faster. O(B^2) memory.
    """
    distances = tf.stop_gradient(batch.distances)
    nowhere = tf.constant(float("inf"), distances.dtype)
    positives = tf.where(batch.filled, tf.stop_gradient(batch.at(batch.positives)), nowhere)
    negatives = tf.where(batch.same, tf.constant(distances.dtype.min, distances.dtype), distances)

    def with_positives(beyond: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        farthest = tf.argmax(negatives, axis=1, output_type=index_type())
        beyond = tf.where(beyond < 0, farthest[:, tf.newaxis], beyond)
        columns = tf.concat([batch.positives, beyond], axis=1)
        return columns, tf.stop_gradient(batch.at(columns))

    def by_slots() -> tuple[tf.Tensor, tf.Tensor]:
        return with_positives(_beyond_by_slots(negatives, positives, batch.slots))

    def by_buckets() -> tuple[tf.Tensor, tf.Tensor]:
        signed = callable(batch.metric)
        pairs = functools.partial(_pairs_by_buckets, signed=signed)
        found = in_row_blocks(pairs, negatives, positives, batch.positives)
        rows, slots = batch.positives.shape
        found = tf.ensure_shape(found, [rows, slots and 2 * slots])
        whole = tf.floor(found)
        columns = tf.cast((found - whole) * _COLUMNS, index_type())
        return columns, as_distances(tf.cast(whole, tf.int32), signed)

    if distances.dtype != tf.float32:
        return by_slots()
    if compiled_by_xla():
        return with_positives(_beyond_by_blocks(negatives, positives, batch.slots, batch.block))
    return choose(known(batch.slots) <= _FEW_SLOTS, by_slots, by_buckets)


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


def _pairs_by_buckets(
    negatives: tf.Tensor, positives: tf.Tensor, columns: tf.Tensor, signed: bool
) -> tf.Tensor:
    """Find the nearest negatives beyond the positives of some anchors.

    The sorted positives of an anchor divide its negatives into buckets, and only the nearest
    negative of a bucket can be chosen. O(B^2 log S) time, in a few passes over the matrix.

    Args:
        negatives: distances [R, B].
        positives: distances [R, S].
        columns: [R, S], the columns of the positives.

    Returns:
        float64 [R, 2 S]: the sorted positives, then the negatives for them, as in `_packed_wide`.
    """
    index = index_type()
    rows, slots = tf.unstack(tf.shape(positives, out_type=index))
    buckets = slots + 1
    own = tf.sort(_packed_wide(as_ordered_integers(positives, signed), columns), axis=1)
    cuts = tf.cast(tf.floor(own), tf.int32)
    keys = as_ordered_integers(negatives, signed)
    # Negatives in bucket j are strictly beyond the first j positives, and only these.
    bucket = position(cuts, keys, "left", index)
    segment = tf.range(rows)[:, tf.newaxis] * buckets + bucket
    packed = _packed_wide(keys, tf.range(tf.shape(keys, out_type=index)[1]))
    nearest = tf.math.unsorted_segment_min(
        tf.reshape(packed, [-1]), tf.reshape(segment, [-1]), rows * buckets
    )
    # An empty bucket has tf.float64.max, and gets the nearest negative of the next one.
    nearest = _minimum_from_each_on(tf.reshape(nearest, [rows, buckets])[:, 1:])
    farthest = tf.reduce_max(packed, axis=1, keepdims=True)
    return tf.concat([own, tf.where(nearest < tf.float64.max, nearest, farthest)], axis=1)


def _packed_wide(integers: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """Pack int32 and columns into float64, which holds them exactly: a column is the fraction.

    A GPU has no kernel for minima of segments of int64.
    """
    return tf.cast(integers, tf.float64) + tf.cast(columns, tf.float64) / _COLUMNS


def _minimum_from_each_on(values: tf.Tensor) -> tf.Tensor:
    """Replace each value of [B, S] by the minimum of its row from there on. O(B S log S) time."""

    def step(width: tf.Tensor, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        later = tf.pad(values[:, width:], [[0, 0], [0, width]], constant_values=values.dtype.max)
        return 2 * width, tf.minimum(values, later)

    slots = tf.shape(values)[1]
    return tf.while_loop(lambda width, _: width < slots, step, (1, values))[1]


def _nothing() -> tf.Tensor:
    return tf.constant(-1, index_type())


def _packed(distances: tf.Tensor) -> tf.Tensor:
    """Pack distances and columns into int64 [B, B], so that a minimum returns the column as well.

    The order is that of the distances.
    """
    above_columns = tf.cast(as_ordered_integers(distances), tf.int64) * _COLUMNS
    return above_columns + tf.range(tf.shape(distances)[1], dtype=tf.int64)


def _column(packed: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.bitwise.bitwise_and(packed, _COLUMNS - 1), index_type())
