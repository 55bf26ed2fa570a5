"""From the `loss` section of a configuration to a function of labels, embeddings and seed."""

from collections.abc import Callable
from importlib import import_module

import tensorflow as tf

from triplet_train.config import LossConfig
from triplet_train.losses.statistics import TripletStatistics

# (labels [B], embeddings [B, D], seed int32 [2], step int32 []) -> TripletStatistics
Strategy = Callable[[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor], TripletStatistics]


def make_strategy(loss: LossConfig) -> Strategy:
    """`strategy` of the file that `loss.strategy` names; see `registry.STRATEGIES`."""
    strategy: Strategy = import_module(f"triplet_train.losses.{loss.strategy}").strategy(loss)
    return strategy
