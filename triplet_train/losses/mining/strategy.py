"""From the `loss` section of a configuration to a function of labels, embeddings and seed."""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

import tensorflow as tf

from triplet_train.losses.mining.statistics import TripletStatistics

if TYPE_CHECKING:  # at run time the losses need nothing of the rest of the package
    from triplet_train.config import LossConfig

# (labels [B], embeddings [B, D], seed int32 [2], step int32 []) -> TripletStatistics
Strategy = Callable[[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor], TripletStatistics]


def make_strategy(loss: "LossConfig") -> Strategy:
    """Import losses/NAME.py, NAME being `loss.strategy`, and call `strategy` of it.

    It is given the margin, the metric, and the keys that only this strategy takes.
    """
    make: Callable[..., Strategy] = import_module(f"triplet_train.losses.{loss.strategy}").strategy
    return make(loss.margin, loss.distance, **loss.options)
