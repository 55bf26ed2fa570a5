"""Keras optimizers from the section `optimizer` of a configuration."""

from typing import Any

import keras

from triplet_train.config import OptimizerConfig


def make_optimizer(config: OptimizerConfig, steps: int, precision: str) -> keras.Optimizer:
    """Return an optimizer whose learning rate follows the schedule over `steps` steps.

    It does not clip gradients: Keras would clip those of each replica before their sum. For
    mixed_float16 it scales the loss and skips steps whose gradient overflows.
    """
    rate = learning_rate(config, steps)
    options: dict[str, Any] = {}
    if config.weight_decay:
        options["weight_decay"] = config.weight_decay
    if config.name == "sgd":
        optimizer = keras.optimizers.SGD(rate, momentum=0.9, **options)
    elif config.name == "adamw":
        optimizer = keras.optimizers.AdamW(rate, **({"weight_decay": 0.0} | options))
    else:
        optimizer = keras.optimizers.Adam(rate, **options)
    scaled = precision == "mixed_float16"
    return keras.optimizers.LossScaleOptimizer(optimizer) if scaled else optimizer


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
