"""All pairs of a batch: their distances, and which of them are positive and negative."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

Metric = str | Callable[[tf.Tensor], tf.Tensor]


class Pairs(NamedTuple):
    """Attributes:
    distances: float32 or float64 [B, B].
    positive: bool [B, B], same label and another row.
    negative: bool [B, B], another label.
    """

    distances: tf.Tensor
    positive: tf.Tensor
    negative: tf.Tensor


def batch_pairs(y_true: tf.Tensor, y_pred: tf.Tensor, distance_metric: Metric) -> Pairs:
    """The pairs of a batch. O(B^2 D) time, O(B^2) memory.

    Args:
        y_true: integer labels [B] or [B, 1].
        y_pred: embeddings [B, D]; bfloat16 and float16 are compared in float32.
        distance_metric: see `pairwise_distances`.

    Raises:
        TypeError: labels are not integers.
    """
    return Pairs(pairwise_distances(y_pred, distance_metric), *pair_masks(y_true))


def pair_masks(y_true: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """(positive, negative), bool [B, B] each, of integer labels [B] or [B, 1]; see `Pairs`.

    Raises:
        TypeError: labels are not integers.
    """
    labels = integer_labels(y_true)
    same = labels[:, tf.newaxis] == labels[tf.newaxis, :]
    return tf.linalg.set_diag(same, tf.zeros_like(labels, tf.bool)), ~same


def integer_labels(y_true: tf.Tensor) -> tf.Tensor:
    """Labels as [B]. Raises TypeError unless they are integers: floats collide above 2**24."""
    labels = tf.convert_to_tensor(y_true)
    if not labels.dtype.is_integer:
        raise TypeError(f"labels must be integers, not {labels.dtype.name}")
    return tf.reshape(labels, [-1])


def pairwise_distances(embeddings: tf.Tensor, metric: Metric = "L2") -> tf.Tensor:
    """Distances [B, B] between the rows of `embeddings` [B, D], zero on the diagonal.

    Args:
        embeddings: float [B, D]; half precision is raised to float32.
        metric: "L2" (Euclidean), "squared-L2", "angular" (1 - cosine; rows are normalised for this
            one only), or a function of the embeddings.

    Raises:
        ValueError: an unknown name.
    """
    embeddings = raise_precision(embeddings)
    if callable(metric):
        return metric(embeddings)
    if metric == "angular":
        unit = tf.math.l2_normalize(embeddings, axis=1)
        distances = tf.maximum(1.0 - tf.matmul(unit, unit, transpose_b=True), 0.0)
        return tf.linalg.set_diag(distances, tf.zeros_like(distances[:, 0]))
    # In float32 this difference loses half the digits of near-identical points.
    wide = tf.cast(embeddings, tf.float64)
    gram = tf.matmul(wide, wide, transpose_b=True)
    norms = tf.linalg.diag_part(gram)
    squared = tf.maximum(norms[:, tf.newaxis] + norms[tf.newaxis, :] - 2.0 * gram, 0.0)
    squared = tf.linalg.set_diag(squared, tf.zeros_like(norms))
    return from_squared(tf.cast(squared, embeddings.dtype), metric)


def row_distances(a: tf.Tensor, b: tf.Tensor, metric: str = "L2") -> tf.Tensor:
    """Distances [N] between each row of `a` [N, D] and the same row of `b`."""
    a, b = raise_precision(a), raise_precision(b)
    if metric == "angular":
        cosine = tf.reduce_sum(tf.math.l2_normalize(a, 1) * tf.math.l2_normalize(b, 1), axis=1)
        return tf.maximum(1.0 - cosine, 0.0)
    return from_squared(tf.reduce_sum(tf.math.squared_difference(a, b), axis=1), metric)


def from_squared(squared: tf.Tensor, metric: str) -> tf.Tensor:
    """The distance under `metric` from squared Euclidean ones; the gradient of L2 at 0 is 0."""
    if metric == "squared-L2":
        return squared
    if metric == "L2":
        coincide = squared <= 0.0  # so that a NaN stays one
        one, zero = tf.ones_like(squared), tf.zeros_like(squared)
        return tf.where(coincide, zero, tf.sqrt(tf.where(coincide, one, squared)))
    raise ValueError(f"distance_metric must be L2, squared-L2 or angular, not {metric!r}")


def raise_precision(embeddings: tf.Tensor) -> tf.Tensor:
    """float64 stays; everything narrower than float32 becomes float32."""
    embeddings = tf.convert_to_tensor(embeddings)
    return embeddings if embeddings.dtype == tf.float64 else tf.cast(embeddings, tf.float32)
