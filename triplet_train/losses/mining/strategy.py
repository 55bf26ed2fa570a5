"""Functions that mine a batch, made from the `loss` section of a configuration."""

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from triplet_train.losses.mining.statistics import TripletStatistics

if TYPE_CHECKING:  # not at run time: the losses import no other package of triplet_train
    from triplet_train.config import LossConfig

# (labels [B], embeddings [B, D], seed int32 [2], step int32 []) -> TripletStatistics
MiningFunction = Callable[[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor], TripletStatistics]


def make_strategy(loss: "LossConfig") -> MiningFunction:
    """Bind the configured strategy to its margin, metric and options, and add the warm-up."""
    options = loss.options
    warmup_steps = options.pop("warmup_steps", 0)
    common = {"margin": loss.margin, "distance_metric": loss.distance}
    strategy = _bind(loss.strategy, **common, **options)
    if not warmup_steps:
        return strategy
    return warmed_up(_bind("semi_hard", **common), strategy, warmup_steps)


def warmed_up(first: MiningFunction, then: MiningFunction, steps: int) -> MiningFunction:
    """Wrap two strategies: use `first` in the first `steps` steps and `then` in all others.

    Both are traced, but each step computes only one of them.
    """
    return lambda y, x, seed, step: tf.cond(
        step < steps, lambda: first(y, x, seed, step), lambda: then(y, x, seed, step)
    )


def _bind(name: str, **arguments: Any) -> MiningFunction:
    """Import losses/NAME.py and bind the arguments of its `triplet_NAME_statistics`."""
    module = import_module(f"triplet_train.losses.{name}")
    statistics = getattr(module, f"triplet_{name}_statistics")
    if "seed" in inspect.signature(statistics).parameters:  # it draws at random
        return lambda y, x, seed, step: statistics(y, x, seed=seed, **arguments)
    return lambda y, x, seed, step: statistics(y, x, **arguments)
