"""Distances of chosen pairs, with a gradient that does not pass through the matrix of all pairs."""

from collections.abc import Callable

import tensorflow as tf

from triplet_train.losses.mining.batch import MiningBatch
from triplet_train.losses.mining.distances import directions, pull
from triplet_train.losses.mining.xla import choose, sizes


def chosen_distances(batch: MiningBatch, columns: tf.Tensor, distances: tf.Tensor) -> tf.Tensor:
    """Give the `distances` [B, N] from each anchor to its `columns` [B, N] their gradient.

    Only the chosen pairs take part in the gradient, in O(B N D) time if N is small. That of a
    metric which is a function passes through the matrix.
    """
    if callable(batch.metric):
        return batch.at(columns)
    points = batch.embeddings
    # The gradient of a distance is a multiple of the difference between the two points.
    if batch.metric == "L2":
        multiples = tf.math.reciprocal_no_nan(distances)
    elif batch.metric == "squared-L2":
        multiples = tf.constant(2.0, distances.dtype)
    else:
        points, known = directions(points)
        multiples = tf.cast(known[:, tf.newaxis] & tf.gather(known, columns), distances.dtype)
    return _with_gradient(points, distances, multiples, columns)


@tf.custom_gradient
def _with_gradient(
    points: tf.Tensor, distances: tf.Tensor, multiples: tf.Tensor, columns: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, None, None, None]]]:
    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, None, None, None]:
        return _pull(upstream * multiples, columns, points), None, None, None

    return distances, gradient


def _pull(weights: tf.Tensor, columns: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Add w (x_i - x_j) to row i and subtract it from row j, for each of the pairs [B, N]."""
    index = columns.dtype
    rows, dimensions = tf.unstack(tf.shape(x, out_type=index))

    def by_pairs() -> tf.Tensor:
        pulls = weights[:, :, tf.newaxis] * (x[:, tf.newaxis] - tf.gather(x, columns))
        others = tf.reshape(pulls, [-1, dimensions]), tf.reshape(columns, [-1])
        return tf.reduce_sum(pulls, axis=1) - tf.math.unsorted_segment_sum(*others, rows)

    def by_matrix() -> tf.Tensor:
        pairs = tf.range(rows)[:, tf.newaxis] * rows + columns
        matrix = tf.math.unsorted_segment_sum(weights, pairs, rows * rows)
        return pull(tf.reshape(matrix, [rows, rows]), x)

    fewer_numbers = sizes(columns)[1] * sizes(x)[1] <= sizes(x)[0]
    return choose(fewer_numbers, by_pairs, by_matrix)
