"""Moving averages of the weights (`optimizer.ema`), in place of the weights for a while."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import keras

from triplet_train.training.two_optimizers import TwoOptimizers


@contextmanager
def averaged(
    weights: Sequence[keras.Variable], optimizer: keras.Optimizer | TwoOptimizers
) -> Iterator[None]:
    """Give weights their moving averages within the block.

    An average begins with the first update of its weight.

    Args:
        weights: all for which the optimizer was built, or none if it keeps no averages.
    """
    raw = [weight.numpy() for weight in weights]
    if weights and optimizer.iterations.numpy():
        optimizer.finalize_variable_values(weights)
    try:
        yield
    finally:
        for weight, value in zip(weights, raw, strict=True):
            weight.assign(value)
