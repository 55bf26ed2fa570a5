"""Triplet losses as pure functions of labels and embeddings, and as Keras classes.

A mining strategy has three forms: `triplet_NAME_loss` returns the loss, `triplet_NAME_statistics`
the loss with further scalars for a training log, and a class works in `model.compile(loss=...)`.
`triplet_loss` and `TripletLoss` take explicit triplets and do not mine.
"""

from triplet_train.losses.batch_all import (
    TripletBatchAllLoss,
    triplet_batch_all_loss,
    triplet_batch_all_statistics,
)
from triplet_train.losses.easy_positive import (
    TripletEasyPositiveLoss,
    triplet_easy_positive_loss,
    triplet_easy_positive_statistics,
)
from triplet_train.losses.hard import TripletHardLoss, triplet_hard_loss, triplet_hard_statistics
from triplet_train.losses.mining.distances import pairwise_distances
from triplet_train.losses.mining.statistics import TripletStatistics
from triplet_train.losses.naive import TripletLoss, triplet_loss
from triplet_train.losses.semi_hard import (
    TripletSemiHardLoss,
    triplet_semihard_loss,
    triplet_semihard_statistics,
)

__all__ = [
    "TripletBatchAllLoss",
    "TripletEasyPositiveLoss",
    "TripletHardLoss",
    "TripletLoss",
    "TripletSemiHardLoss",
    "TripletStatistics",
    "pairwise_distances",
    "triplet_batch_all_loss",
    "triplet_batch_all_statistics",
    "triplet_easy_positive_loss",
    "triplet_easy_positive_statistics",
    "triplet_hard_loss",
    "triplet_hard_statistics",
    "triplet_loss",
    "triplet_semihard_loss",
    "triplet_semihard_statistics",
]
