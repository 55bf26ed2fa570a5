"""Naive: explicit (anchor, positive, negative) rows, nothing mined."""

import tensorflow as tf

from triplet_train.losses.pairs import pair_masks, raise_precision, row_distances
from triplet_train.losses.statistics import TripletStatistics, fraction, masked_mean, valid_anchors


def triplet_loss(
    anchor: tf.Tensor,
    positive: tf.Tensor,
    negative: tf.Tensor,
    margin: float = 1.0,
    distance_metric: str = "L2",
) -> tf.Tensor:
    """Mean over rows of max(0, D(anchor, positive) - D(anchor, negative) + margin).

    The plain Siamese baseline: what three towers with shared weights are trained with. The textbook
    formula is written with distance_metric="squared-L2".

    Args:
        anchor, positive, negative: embeddings [N, D], a triplet per row.
        margin: at least 0.
        distance_metric: "L2", "squared-L2" or "angular".

    Returns:
        Scalar, float32 (float64 for float64 embeddings); 0 for N = 0. O(N D) time and memory.

    >>> float(triplet_loss([[0.0]], [[1.0]], [[1.5]]))
    0.5
    """
    triplets = (anchor, positive, negative)
    return _explicit_statistics(*triplets, margin, distance_metric, tf.constant(1.0)).loss


def random_triplet_statistics(
    y_true: tf.Tensor,
    y_pred: tf.Tensor,
    seed: tf.Tensor,
    margin: float = 1.0,
    distance_metric: str = "L2",
) -> TripletStatistics:
    """`triplet_loss` of one random positive and one random negative for each valid anchor.

    Args:
        y_true: integer labels [B] or [B, 1].
        y_pred: embeddings [B, D].
        seed: int32 [2]; the same seed draws the same triplets.
        margin, distance_metric: as in `triplet_loss`.

    Returns:
        Means over the drawn rows; distances are those of the drawn pairs. O(B^2 + B D).
    """
    embeddings = raise_precision(y_pred)
    positive, negative = pair_masks(y_true)
    lots = tf.random.stateless_uniform(tf.shape(positive), seed)
    drawn_positive = tf.argmax(tf.where(positive, lots, -1.0), axis=1)
    drawn_negative = tf.argmax(tf.where(negative, lots, -1.0), axis=1)
    valid = valid_anchors(positive, negative)
    return _explicit_statistics(
        tf.boolean_mask(embeddings, valid),
        tf.gather(embeddings, tf.boolean_mask(drawn_positive, valid)),
        tf.gather(embeddings, tf.boolean_mask(drawn_negative, valid)),
        margin,
        distance_metric,
        valid_share=tf.reduce_mean(tf.cast(valid, embeddings.dtype)),
    )


def _explicit_statistics(
    anchor: tf.Tensor,
    positive: tf.Tensor,
    negative: tf.Tensor,
    margin: float,
    distance_metric: str,
    valid_share: tf.Tensor,
) -> TripletStatistics:
    to_positive = row_distances(anchor, positive, distance_metric)
    to_negative = row_distances(anchor, negative, distance_metric)
    every = tf.ones_like(to_positive, tf.bool)
    terms = tf.nn.relu(to_positive - to_negative + margin)
    return TripletStatistics(
        masked_mean(terms, every),
        fraction(terms > 0.0, every, terms.dtype),
        valid_share,
        masked_mean(to_positive, every),
        masked_mean(to_negative, every),
    )
