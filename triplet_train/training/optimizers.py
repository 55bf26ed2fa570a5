"""Keras optimizers from the section `optimizer` of a configuration."""

from collections.abc import Sequence
from typing import Any

import keras

from triplet_train.config import OptimizerConfig
from triplet_train.training.two_optimizers import TwoOptimizers


def make_optimizer(
    config: OptimizerConfig,
    steps: int,
    precision: str,
    apart: Sequence[keras.Variable] = (),
) -> keras.Optimizer | TwoOptimizers:
    """Return an optimizer whose learning rate follows the schedule over `steps` steps.

    It does not clip gradients: Keras would clip those of each replica before their sum. For
    mixed_float16 it scales the loss and skips steps whose gradient overflows.

    Args:
        apart: weights of the backbone if they have `backbone_rate` or thaw at a later step.
    """
    rate = learning_rate(config, steps)
    if apart:
        optimizer = TwoOptimizers(
            lambda rate: _optimizer(config, rate), rate, config.backbone_rate, apart
        )
    else:
        optimizer = _optimizer(config, rate)
    scaled = precision == "mixed_float16"
    return keras.optimizers.LossScaleOptimizer(optimizer) if scaled else optimizer


def _optimizer(config: OptimizerConfig, rate: Any) -> keras.Optimizer:
    options: dict[str, Any] = {}
    if config.weight_decay:
        options["weight_decay"] = config.weight_decay
    if config.ema:
        options |= {"use_ema": True, "ema_momentum": config.ema}
    if config.name == "sgd":
        return keras.optimizers.SGD(rate, momentum=0.9, **options)
    if config.name == "adamw":
        return keras.optimizers.AdamW(rate, **({"weight_decay": 0.0} | options))
    return keras.optimizers.Adam(rate, **options)


def learning_rate(
    config: OptimizerConfig, steps: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Return a rate that grows over `warmup_steps`, then is constant or falls as a cosine to 0."""
    peak, warmup = config.learning_rate, config.warmup_steps
    schedules = keras.optimizers.schedules
    # The rate of step 0 is the first fraction of the peak; 0 would waste the step.
    first = peak / (warmup + 1)
    if config.schedule == "cosine":
        if warmup:
            return schedules.CosineDecay(
                first, steps - warmup, warmup_target=peak, warmup_steps=warmup
            )
        return schedules.CosineDecay(peak, steps)
    if warmup:
        return schedules.PolynomialDecay(first, warmup, end_learning_rate=peak)
    return peak
