"""Naive: triplets that are given, or one random triplet per anchor; nothing is mined."""

from typing import Any

import keras
import tensorflow as tf

from triplet_train.losses.mining.distances import check_metric, raise_precision, row_distances
from triplet_train.losses.mining.keras_loss import serializable
from triplet_train.losses.mining.labels import class_labels
from triplet_train.losses.mining.statistics import TripletStatistics, fraction, masked_mean
from triplet_train.losses.mining.uniform import uniform


def triplet_loss(
    anchor: tf.Tensor,
    positive: tf.Tensor,
    negative: tf.Tensor,
    margin: float = 1.0,
    distance_metric: str = "L2",
) -> tf.Tensor:
    """Compute the mean of max(0, D(anchor, positive) - D(anchor, negative) + margin).

    This is the loss of a Siamese network, which three towers with shared weights depict.

    Use: if the triplets are given, for example from people's similarity ratings, or as a baseline
    without mining. Nearly all random triplets soon have a zero term.

    Source: Schroff, Kalenichenko & Philbin, FaceNet (2015). They and most textbooks square the
    distances: distance_metric="squared-L2".

    Args:
        anchor, positive, negative: embeddings [N, D], one triplet per row, usually of unit length;
            bfloat16 and float16 are converted to float32.
        margin: non-negative number.
        distance_metric: "L2", "squared-L2" or "angular".

    Returns:
        Scalar, float32, or float64 for float64 embeddings; 0 for N = 0. O(N D) time and memory.

    Raises:
        ValueError: an unknown metric.

    >>> float(triplet_loss([[0.0]], [[1.0]], [[1.5]]))
    0.5
    """
    terms, _, _ = _hinges(anchor, positive, negative, margin, distance_metric)
    return masked_mean(terms, tf.ones_like(terms, tf.bool))


def triplet_naive_statistics(
    y_true: tf.Tensor,
    y_pred: tf.Tensor,
    seed: tf.Tensor,
    margin: float = 1.0,
    distance_metric: str = "L2",
) -> TripletStatistics:
    """Draw one positive and one negative for each valid anchor, and compute `triplet_loss`.

    Args:
        y_true: integer labels [B] or [B, 1].
        y_pred: embeddings [B, D].
        seed: int32 [2]; the same seed draws the same triplets, with and without XLA.
        margin, distance_metric: as in `triplet_loss`.

    Returns:
        Means over the drawn triplets and their pairs. O(B^2 + B D) time, O(B^2) memory.

    >>> labels, embeddings = [0, 0, 1], [[0.0], [1.0], [1.5]]
    >>> float(triplet_naive_statistics(labels, embeddings, seed=[0, 0]).loss)
    1.0
    """
    embeddings = raise_precision(y_pred)
    labels = class_labels(y_true, embeddings)
    same = labels[:, tf.newaxis] == labels
    others = tf.linalg.set_diag(same, tf.zeros_like(labels, tf.bool))
    lots = uniform(tf.shape(same), seed)
    positive = tf.gather(embeddings, tf.argmax(tf.where(others, lots, -1.0), axis=1))
    negative = tf.gather(embeddings, tf.argmax(tf.where(same, -1.0, lots), axis=1))
    terms, to_positive, to_negative = _hinges(
        embeddings, positive, negative, margin, distance_metric
    )
    valid = tf.reduce_any(others, axis=1) & ~tf.reduce_all(same, axis=1)
    return TripletStatistics(
        masked_mean(terms, valid),
        fraction(terms > 0.0, valid, terms.dtype),
        tf.reduce_mean(tf.cast(valid, terms.dtype)),
        masked_mean(to_positive, valid),
        masked_mean(to_negative, valid),
    )


def _hinges(
    anchor: tf.Tensor, positive: tf.Tensor, negative: tf.Tensor, margin: float, metric: str
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Compute the terms, and the distances to the positive and to the negative, each [N]."""
    to_positive = row_distances(anchor, positive, metric)
    to_negative = row_distances(anchor, negative, metric)
    return tf.nn.relu(to_positive - to_negative + margin), to_positive, to_negative


@serializable
class TripletLoss(keras.losses.Loss):
    """Compute `triplet_loss` in `model.compile`, for a model whose output is triplets [N, 3, D].

    The second axis holds anchor, positive and negative. `y_true` is ignored, but `fit` needs one
    with N elements, such as zeros. The terms [N] are weighted, reduced and scaled as in any
    `keras.losses.Loss`; `name`, `reduction` and `dtype` are its arguments.

    >>> float(TripletLoss()([0], [[[0.0], [1.0], [1.5]]]))
    0.5
    """

    def __init__(
        self,
        margin: float = 1.0,
        distance_metric: str = "L2",
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        check_metric(distance_metric)
        self.margin = margin
        self.distance_metric = distance_metric

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        anchor, positive, negative = tf.unstack(y_pred, num=3, axis=1)
        return _hinges(anchor, positive, negative, self.margin, self.distance_metric)[0]

    def get_config(self) -> dict[str, Any]:
        options = {"margin": self.margin, "distance_metric": self.distance_metric}
        return super().get_config() | options | {"dtype": self.dtype}
