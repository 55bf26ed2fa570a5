"""Triplet losses as pure functions: which triplets of a batch count, and what they cost."""

from triplet_train.losses.batch_all import triplet_batch_all_loss
from triplet_train.losses.hard import triplet_hard_loss
from triplet_train.losses.naive import triplet_loss
from triplet_train.losses.pairs import pairwise_distances
from triplet_train.losses.semi_hard import triplet_semihard_loss

__all__ = [
    "pairwise_distances",
    "triplet_batch_all_loss",
    "triplet_hard_loss",
    "triplet_loss",
    "triplet_semihard_loss",
]
