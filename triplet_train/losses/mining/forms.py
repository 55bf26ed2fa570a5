"""Derive from a strategy's statistics function what is the same for every strategy."""

import inspect
import textwrap
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import tensorflow as tf

from triplet_train.losses.mining.statistics import TripletStatistics

P = ParamSpec("P")
F = TypeVar("F", bound=Callable[..., TripletStatistics])

_ARGUMENTS = {
    "y_true": "integer labels [B] or [B, 1].",
    "y_pred": "embeddings [B, D], usually of unit length; bfloat16 and float16 are converted to "
    "float32.",
    "margin": "non-negative number.",
    "distance_metric": '"L2", "squared-L2", "angular", or a function that maps embeddings [B, D] '
    "to distances [B, B].",
}
_STATISTICS = "TripletStatistics: the loss and further scalars for a training log."
_LOSS = "Scalar loss."
_REMARKS = (
    "float32, or float64 for float64 embeddings. An anchor without a positive or without a "
    "negative in the batch does not count. Without any valid anchor the loss and its gradients "
    "are 0. A NaN in the embeddings makes the loss NaN. Of several images at the same distance "
    "one is chosen."
)
_RAISES = """
Raises:
    TypeError: the labels are not integers.
    ValueError: the shapes do not fit, or an option is unknown.

"""


def documented(**own: str) -> Callable[[F], F]:
    """Add the sections that all strategies share to the docstring of a statistics function.

    They are inserted before its examples.

    Args:
        own: descriptions of the arguments that only this strategy takes.
    """

    def complete(statistics: F) -> F:
        text, prompt, examples = inspect.cleandoc(statistics.__doc__ or "").partition(">>> ")
        described = _ARGUMENTS | own
        arguments = "".join(
            _item(f"{name}: {described[name]}") for name in inspect.signature(statistics).parameters
        )
        returns = _item(_STATISTICS) + _item(_REMARKS, "    ")
        sections = f"Args:\n{arguments}\nReturns:\n{returns}{_RAISES}"
        statistics.__doc__ = text + sections + prompt + examples
        return statistics

    return complete


def loss_of(statistics: Callable[P, TripletStatistics]) -> Callable[P, tf.Tensor]:
    """Return `triplet_NAME_loss`, which takes what `triplet_NAME_statistics` takes."""

    def loss(*args: P.args, **kwargs: P.kwargs) -> tf.Tensor:
        return statistics(*args, **kwargs).loss

    signature = inspect.signature(statistics).replace(return_annotation=tf.Tensor)
    attributes: dict[str, Any] = {
        "__module__": statistics.__module__,
        "__name__": loss_name(statistics),
        "__qualname__": loss_name(statistics),
        "__doc__": (statistics.__doc__ or "").replace(_STATISTICS, _LOSS),
        "__signature__": signature,
    }
    for name, value in attributes.items():
        setattr(loss, name, value)
    return loss


def loss_name(statistics: Callable[..., TripletStatistics]) -> str:
    """Return the name of the function that returns the loss alone."""
    return statistics.__name__.replace("_statistics", "_loss")


def _item(text: str, indent: str = "        ") -> str:
    return textwrap.fill(text, 100, initial_indent="    ", subsequent_indent=indent) + "\n"
