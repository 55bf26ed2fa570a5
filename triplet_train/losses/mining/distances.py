"""Distances between all embeddings of a batch, or between corresponding embeddings of two."""

from collections.abc import Callable

import tensorflow as tf

DistanceMetric = str | Callable[[tf.Tensor], tf.Tensor]
_WithGradient = tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]

_SHORT = 1e-6  # a shorter vector has no direction; the epsilon of tensorflow_addons
_NOISE = 2e-14  # error of squared distances from a float64 Gram matrix, per squared norm


def pairwise_distances(embeddings: tf.Tensor, metric: DistanceMetric = "L2") -> tf.Tensor:
    """Compute the distances [B, B] between all embeddings, zero on the diagonal.

    Distances of near-identical embeddings keep their precision. A Gram matrix in float32 would lose
    half of the digits, so it is computed in float64; float64 embeddings are subtracted one
    dimension at a time. The gradient of L2 at distance 0 is 0.

    Args:
        embeddings: float [B, D]; bfloat16 and float16 are converted to float32.
        metric: "L2" (Euclidean), "squared-L2", "angular" (1 - cosine), or a function of the
            embeddings. Only "angular" normalises them; a vector of zeros has distance 1 from every
            other one.

    Returns:
        float32, or float64 for float64 embeddings. O(B^2 D) time, O(B^2) memory.

    Raises:
        ValueError: an unknown metric.
    """
    embeddings = raise_precision(embeddings)
    if callable(metric):
        return metric(embeddings)
    check_metric(metric)
    if metric == "L2":
        return _euclidean(embeddings)
    if metric == "squared-L2":
        return _squared_euclidean(embeddings)
    unit, known = directions(embeddings)
    distances = _angles(_squared_euclidean(unit), known[:, tf.newaxis] & known)
    return tf.linalg.set_diag(distances, tf.zeros_like(unit[:, 0]))


def row_distances(a: tf.Tensor, b: tf.Tensor, metric: str = "L2") -> tf.Tensor:
    """Compute the distances [N] between the rows of `a` and `b`, both [N, D]. O(N D) time.

    Precision, metrics and gradients are those of `pairwise_distances`.
    """
    check_metric(metric)
    a, b = raise_precision(a), raise_precision(b)
    if metric == "angular":
        (a, a_known), (b, b_known) = directions(a), directions(b)
        return _angles(_squared_between_rows(a, b), a_known & b_known)
    squared = _squared_between_rows(a, b)
    if metric == "squared-L2":
        return squared
    coincide = squared <= 0.0  # false for NaN, which remains
    root = tf.sqrt(tf.where(coincide, tf.ones_like(squared), squared))
    return tf.where(coincide, tf.zeros_like(squared), root)


def check_metric(metric: str) -> None:
    """Raise ValueError if there is no metric of this name."""
    if metric not in ("L2", "squared-L2", "angular"):
        raise ValueError(f"distance_metric must be L2, squared-L2 or angular, not {metric!r}")


def raise_precision(embeddings: tf.Tensor) -> tf.Tensor:
    """Convert everything but float64 to float32."""
    embeddings = tf.convert_to_tensor(embeddings)
    return embeddings if embeddings.dtype == tf.float64 else tf.cast(embeddings, tf.float32)


def directions(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the rows at unit length, zeros without a direction, and a mask of those with one."""
    squared = tf.reduce_sum(tf.square(x), axis=1, keepdims=True)
    short = squared <= _SHORT**2
    unit = x / tf.sqrt(tf.where(short, tf.ones_like(squared), squared))
    return tf.where(short, tf.zeros_like(x), unit), ~short[:, 0]


def _angles(squared: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
    """Compute 1 - cosine from squared distances of unit vectors, precise for small angles."""
    return tf.where(known, 0.5 * squared, tf.ones_like(squared))


def _squared_between_rows(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.math.squared_difference(a, b), axis=1)


# Gradients by hand, because autodiff would keep half a dozen matrices.


@tf.custom_gradient
def _euclidean(x: tf.Tensor) -> _WithGradient:
    distances = tf.sqrt(_squared(x))
    return distances, lambda upstream: pull(tf.math.divide_no_nan(upstream, distances), x)


@tf.custom_gradient
def _squared_euclidean(x: tf.Tensor) -> _WithGradient:
    return _squared(x), lambda upstream: pull(2.0 * upstream, x)


def _squared(x: tf.Tensor) -> tf.Tensor:
    if x.dtype == tf.float64:
        return _squared_by_differences(x)
    wide = tf.cast(x, tf.float64)
    norms = tf.reduce_sum(tf.square(wide), axis=1, keepdims=True)
    ones = tf.ones_like(norms)
    # -2 xy + |x|^2 + |y|^2 as one product, as every further term is a pass over [B, B].
    left = tf.concat([-2.0 * wide, norms, ones], axis=1)
    right = tf.concat([wide, ones, norms], axis=1)
    squared = tf.cast(tf.matmul(left, right, transpose_b=True), x.dtype)
    coincide = squared <= tf.cast(_NOISE * norms, x.dtype)
    return tf.where(coincide, 0.0, squared)


def _squared_by_differences(x: tf.Tensor) -> tf.Tensor:
    rows = tf.shape(x)[0]
    return tf.foldl(
        lambda total, column: total + tf.math.squared_difference(column[:, tf.newaxis], column),
        tf.transpose(x),
        tf.zeros([rows, rows], x.dtype),
    )


def pull(weights: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Compute sum_j (w_ij + w_ji) (x_i - x_j) for each row i, as one matrix product.

    It is computed in float64, because it also subtracts near-identical embeddings.
    """
    weights = tf.cast(weights + tf.transpose(weights), tf.float64)
    wide = tf.cast(x, tf.float64)
    # sum_j w_ij x_j, and sum_j w_ij in the last column.
    sums = tf.matmul(weights, tf.concat([wide, tf.ones_like(wide[:, :1])], axis=1))
    return tf.cast(sums[:, -1:] * wide - sums[:, :-1], x.dtype)
