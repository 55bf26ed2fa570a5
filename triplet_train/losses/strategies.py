"""From the `loss` section of a configuration to a function of labels, embeddings and seed."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import tensorflow as tf

from triplet_train.losses.batch_all import triplet_batch_all_statistics
from triplet_train.losses.hard import triplet_hard_statistics
from triplet_train.losses.naive import random_triplet_statistics
from triplet_train.losses.semi_hard import triplet_semihard_statistics
from triplet_train.losses.statistics import TripletStatistics

if TYPE_CHECKING:  # at run time the losses need nothing of the rest of the package
    from triplet_train.config import LossConfig

Strategy = Callable[[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor], TripletStatistics]


def make_strategy(loss: "LossConfig") -> Strategy:
    """(labels [B], embeddings [B, D], seed int32 [2], step int32 []) -> TripletStatistics."""
    margin, metric = loss.margin, loss.distance

    def hard(y: tf.Tensor, x: tf.Tensor, step: tf.Tensor) -> TripletStatistics:
        if not loss.warmup_steps:
            return triplet_hard_statistics(y, x, margin, loss.soft, metric)
        return tf.cond(
            step < loss.warmup_steps,
            lambda: triplet_semihard_statistics(y, x, margin, metric),
            lambda: triplet_hard_statistics(y, x, margin, loss.soft, metric),
        )

    strategies: dict[str, Strategy] = {
        "hard": lambda y, x, seed, step: hard(y, x, step),
        "semi_hard": lambda y, x, seed, step: triplet_semihard_statistics(y, x, margin, metric),
        "batch_all": lambda y, x, seed, step: triplet_batch_all_statistics(y, x, margin, metric),
        "naive": lambda y, x, seed, step: random_triplet_statistics(y, x, seed, margin, metric),
    }
    return strategies[loss.strategy]
