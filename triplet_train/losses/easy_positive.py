"""Easy-positive mining: each anchor with its nearest positive and the next negative beyond it."""

import tensorflow as tf

from triplet_train.losses.mining.batch import MiningBatch, mining_batch
from triplet_train.losses.mining.distances import DistanceMetric
from triplet_train.losses.mining.forms import documented, loss_of
from triplet_train.losses.mining.keras_loss import MinedLoss, serializable
from triplet_train.losses.mining.nearest_beyond import nearest_beyond
from triplet_train.losses.mining.statistics import TripletStatistics, statistics_of_terms
from triplet_train.losses.mining.xla import index_type


@documented()
def triplet_easy_positive_statistics(
    y_true: tf.Tensor,
    y_pred: tf.Tensor,
    margin: float = 1.0,
    distance_metric: DistanceMetric = "L2",
) -> TripletStatistics:
    """Pair each anchor with its nearest positive and the nearest negative beyond that positive.

    The loss is the mean of max(0, D_ap - D_an + margin) over valid anchors. D_ap is the smallest
    distance to a positive. D_an is the smallest distance to a negative that is strictly greater
    than D_ap. If there is no such negative, D_an is the largest distance to a negative. This is the
    negative that semi-hard mining chooses for the same positive. If all embeddings coincide, the
    loss is the margin and the gradient of L2 is 0.

    Batches: P x K batches with K large enough for an image to find another of its own kind.

    Use: if the images of a class differ in appearance, as a bird does from the front and from the
    side, and unseen classes matter most. An image only has to be near some image of its class, so a
    class may remain in several clusters. This favours recall@1 over metrics that need all images of
    a class, such as MAP@R.

    Cost: O(B^2 D) time, O(B^2) memory.

    Source: Xuan, Stylianou & Pless, Improved Embeddings with Easy Positive Triplet Mining (2020),
    with semi-hard negatives. The choice of triplets is theirs. The term is the hinge of the other
    strategies; theirs is a softmax over two similarities.

    >>> labels, embeddings = [0, 0, 0, 1, 1], [[0.0], [1.0], [3.0], [1.5], [5.0]]
    >>> float(triplet_easy_positive_loss(labels, embeddings))
    1.0
    >>> statistics = triplet_easy_positive_statistics(labels, embeddings)
    >>> round(float(statistics.active_fraction), 4)
    0.8
    """
    batch = mining_batch(y_true, y_pred, distance_metric)
    positives = _nearest_positives(batch)
    alone = batch._replace(
        positives=positives[:, tf.newaxis],
        filled=batch.valid[:, tf.newaxis],
        slots=tf.constant(1),
    )
    negatives = nearest_beyond(alone)[0][:, 1]
    terms = tf.nn.relu(batch.to(positives) - batch.to(negatives) + margin)
    return statistics_of_terms(batch, terms, batch.valid)


def _nearest_positives(batch: MiningBatch) -> tf.Tensor:
    """Columns [B] of the nearest positives; any column for an anchor without a positive."""
    distances = tf.where(batch.filled, batch.at(batch.positives), batch.distances.dtype.max)
    slot = tf.argmin(distances, axis=1, output_type=index_type())
    return tf.gather(batch.positives, slot, batch_dims=1)


triplet_easy_positive_loss = loss_of(triplet_easy_positive_statistics)


@serializable
class TripletEasyPositiveLoss(MinedLoss):
    """Compute `triplet_easy_positive_loss` in `model.compile`; see `MinedLoss` for the arguments.

    >>> float(TripletEasyPositiveLoss()([0, 0, 1, 1], [[0.0], [1.0], [3.0], [1.5]]))
    0.5
    """

    statistics = staticmethod(triplet_easy_positive_statistics)
