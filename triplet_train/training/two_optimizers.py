"""Two optimizers in the place of one: for the backbone of a tower, and for its head."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf


class TwoOptimizers:
    """Updates the backbone at a share of the learning rate of the head, or from a later step on.

    Each is a Keras optimizer over its own weights. Thus the share holds for what the rate means in
    it: the update and the decay of the weights, not the gradient, whose scale Adam ignores. That
    of the backbone counts its own steps, so that Adam's correction of its first averages is right
    when the backbone thaws.

    It has the members of `keras.Optimizer` that a step, a loss-scale optimizer and a checkpoint
    use.

    Args:
        make: function of a learning rate that returns an optimizer.
        rate: of the head, as Keras takes it.
        share: of the backbone in this rate, at the same step of the run.
        backbone: its weights.
    """

    loss_scale_factor = None  # set by a loss-scale optimizer

    def __init__(
        self,
        make: Callable[[Any], keras.Optimizer],
        rate: Any,
        share: float,
        backbone: Sequence[keras.Variable],
    ) -> None:
        self._head = head = make(rate)
        self._backbone = make(lambda: share * tf.convert_to_tensor(head.learning_rate))
        self._of_backbone = {id(weight) for weight in backbone}

    def build(self, weights: Sequence[keras.Variable]) -> None:
        """Make the variables for these weights."""
        self._backbone.build([w for w in weights if id(w) in self._of_backbone])
        self._head.build([w for w in weights if id(w) not in self._of_backbone])

    def apply(
        self, grads: Sequence[tf.Tensor], trainable_variables: Sequence[keras.Variable]
    ) -> None:
        """Update these weights: all, or those of the head only."""
        pairs = list(zip(grads, trainable_variables, strict=True))
        backbone = [pair for pair in pairs if id(pair[1]) in self._of_backbone]
        head = [pair for pair in pairs if id(pair[1]) not in self._of_backbone]
        if backbone:  # first: it reads the rate of the head, whose step counts up
            self._backbone.apply(*zip(*backbone, strict=True))
        self._head.apply(*zip(*head, strict=True))

    @property
    def variables(self) -> list[keras.Variable]:
        """The variables of both."""
        return [*self._head.variables, *self._backbone.variables]

    @property
    def iterations(self) -> keras.Variable:
        """The number of steps of the head."""
        return self._head.iterations

    @property
    def learning_rate(self) -> Any:
        """The learning rate of the head."""
        return self._head.learning_rate

    def scale_loss(self, loss: tf.Tensor) -> tf.Tensor:
        """Return the loss as it is."""
        return loss

    def finalize_variable_values(self, weights: Sequence[keras.Variable]) -> None:
        """Replace weights by their moving averages, those of the backbone if it was trained."""
        backbone = [w for w in weights if id(w) in self._of_backbone]
        if self._backbone.iterations.numpy():
            self._backbone.finalize_variable_values(backbone)
        self._head.finalize_variable_values([w for w in weights if id(w) not in self._of_backbone])
