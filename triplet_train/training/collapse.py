"""Detection of collapsed embeddings: all images have the same vector."""

import math

from triplet_train.config import Config
from triplet_train.registry import TOWERS
from triplet_train.training.state import Metrics

_STEPS = 100  # in a row; most runs of hard mining come near a collapse, but not as near or as long
_SPREAD = 1e-3  # mnist_hard, which recovers, stays above 2e-3
_NEAR = 0.02  # relative to the loss at which all distances are 0


class Collapse:
    """Checks the metrics of consecutive steps.

    If all embeddings coincide, every distance is 0, the loss equals the margin (ln 2 with `soft`),
    every triplet is active and the gradient almost vanishes. A run that stays in this state is
    reported once.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._steps = 0

    def warning(self, step: int, metrics: Metrics) -> str | None:
        """Return a warning after the step at which the embeddings count as collapsed; else None."""
        loss = self._config.loss
        soft = loss.soft and step > loss.warmup_steps  # semi-hard mining has no soft margin
        level = math.log(2) if soft else loss.margin
        near = abs(metrics["loss"] - level) <= _NEAR * level
        if near and metrics["embedding_spread"] < _SPREAD:
            self._steps += 1
        elif self._steps < _STEPS:
            self._steps = 0
        if self._steps != _STEPS:
            return None
        self._steps += 1
        return (
            f"the embeddings have collapsed: for {_STEPS} steps the loss has stayed at "
            f"{'ln 2' if soft else 'the margin'}, {level:.4g}, and all images have had nearly the "
            f"same vector (spread {metrics['embedding_spread']:.1e}). If that lasts, start again "
            f"with {self._advice()}"
        )

    def _advice(self) -> str:
        loss, rate = self._config.loss, self._config.optimizer.learning_rate
        advice = [f"a smaller optimizer.learning_rate ({rate / 10:g})"]
        if loss.options.get("warmup_steps") == 0:
            advice.append("loss.warmup_steps: 200, which begins with semi_hard")
        model = self._config.model
        if TOWERS[model.tower].batch_norm is None and not model.batch_norm:
            advice.append("model.batch_norm: true")
        return ", or ".join(advice)
