"""Semi-hard mining: each positive pair with the nearest negative beyond the positive."""

import tensorflow as tf

from triplet_train.losses.mining.batch import mining_batch
from triplet_train.losses.mining.chosen_distances import chosen_distances
from triplet_train.losses.mining.distances import DistanceMetric
from triplet_train.losses.mining.forms import documented, loss_of
from triplet_train.losses.mining.keras_loss import MinedLoss, serializable
from triplet_train.losses.mining.nearest_beyond import nearest_beyond
from triplet_train.losses.mining.statistics import TripletStatistics, statistics_of_terms


@documented()
def triplet_semihard_statistics(
    y_true: tf.Tensor,
    y_pred: tf.Tensor,
    margin: float = 1.0,
    distance_metric: DistanceMetric = "L2",
) -> TripletStatistics:
    """Pair each positive with the nearest negative beyond it.

    The loss is the mean of max(0, D_ap - D_an + margin) over the positive pairs of valid anchors.
    D_an is the smallest distance to a negative that is strictly greater than D_ap. If there is no
    such negative, D_an is the largest distance to a negative. This choice does not depend on the
    margin. Many descriptions require a negative within D_ap + margin; the reference implementation
    does not. If all embeddings coincide, the loss is the margin and the gradient of L2 is 0.

    Batches: any in which most images have a positive, such as P x K batches. All pairs of a class
    count, so few classes with many images each are fine.

    Use: as the first choice. Negatives nearer than the positive are skipped, and mislabelled images
    are often among them. For this reason the embeddings do not collapse as they can with hard
    mining.

    Cost: O(B^2 (D + log K)) time if a class has at most K images, O(B^2 (D + K)) for float64 and
    under XLA; O(B^2) memory.

    Source: Schroff, Kalenichenko & Philbin, FaceNet (2015). Value and gradient equal those of
    tensorflow_addons 0.23 if every anchor is valid.

    >>> labels, embeddings = [0, 0, 1, 1], [[0.0], [1.0], [3.0], [1.5]]
    >>> float(triplet_semihard_loss(labels, embeddings))
    0.5
    >>> statistics = triplet_semihard_statistics(labels, embeddings, margin=0.2)
    >>> float(statistics.active_fraction)
    0.25
    """
    batch = mining_batch(y_true, y_pred, distance_metric)
    chosen = chosen_distances(batch, *nearest_beyond(batch))
    to_positive, to_negative = tf.split(chosen, 2, axis=1)
    terms = tf.nn.relu(to_positive - to_negative + margin)
    return statistics_of_terms(batch, terms, batch.counted)


triplet_semihard_loss = loss_of(triplet_semihard_statistics)
# Training looks up triplet_NAME_statistics with NAME = semi_hard; the public name follows
# tensorflow_addons.
triplet_semi_hard_statistics = triplet_semihard_statistics


@serializable
class TripletSemiHardLoss(MinedLoss):
    """Compute `triplet_semihard_loss` in `model.compile`; see `MinedLoss` for the arguments.

    >>> loss = TripletSemiHardLoss(margin=0.2)
    >>> round(float(loss([0, 0, 1, 1], [[0.0], [1.0], [3.0], [1.5]])), 4)
    0.05
    """

    statistics = staticmethod(triplet_semihard_statistics)
