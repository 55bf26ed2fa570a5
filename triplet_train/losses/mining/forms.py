"""Derive from a strategy's statistics function what is the same for every strategy."""

import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import tensorflow as tf

from triplet_train.losses.mining.statistics import TripletStatistics

P = ParamSpec("P")
F = TypeVar("F", bound=Callable[..., TripletStatistics])

_STATISTICS, _LOSS = "TripletStatistics, ", "Scalar loss, "
_SECTIONS = f"""\
Args:
    y_true: integer labels [B] or [B, 1].
    y_pred: embeddings [B, D], usually of unit length; bfloat16 and float16 are converted to
        float32.
    margin: non-negative number.{{own}}
    distance_metric: "L2", "squared-L2", "angular", or a function that maps embeddings [B, D] to
        distances [B, B].

Returns:
    {_STATISTICS}float32, or float64 for float64 embeddings. An anchor without a positive or without
    a negative in the batch does not count. Without any valid anchor the loss and its gradients are
    0. A NaN in the embeddings makes the loss NaN. Of several images at the same distance one is
    chosen.

Raises:
    TypeError: the labels are not integers.
    ValueError: the shapes do not fit, or an option is unknown.

"""


def documented(**own: str) -> Callable[[F], F]:
    """Insert the sections that all strategies share before the examples of a docstring.

    Args:
        own: descriptions of the arguments that only this strategy takes.
    """

    def complete(statistics: F) -> F:
        text, prompt, examples = inspect.cleandoc(statistics.__doc__ or "").partition(">>> ")
        arguments = "".join(f"\n    {name}: {meaning}" for name, meaning in own.items())
        statistics.__doc__ = text + _SECTIONS.format(own=arguments) + prompt + examples
        return statistics

    return complete


def loss_of(statistics: Callable[P, TripletStatistics]) -> Callable[P, tf.Tensor]:
    """Return `triplet_NAME_loss`, which takes the arguments of `triplet_NAME_statistics`."""

    @functools.wraps(statistics)
    def loss(*args: P.args, **kwargs: P.kwargs) -> tf.Tensor:
        return statistics(*args, **kwargs).loss

    loss.__name__ = loss.__qualname__ = loss_name(statistics)
    loss.__doc__ = (statistics.__doc__ or "").replace(_STATISTICS, _LOSS)
    signature = inspect.signature(statistics).replace(return_annotation=tf.Tensor)
    vars(loss).update(__signature__=signature)
    return loss


def loss_name(statistics: Callable[..., TripletStatistics]) -> str:
    """Return the name of the function that returns the loss alone."""
    return statistics.__name__.replace("_statistics", "_loss")
