"""From the `optimizer` section of a configuration to a Keras optimizer."""

from typing import Any

import keras

from triplet_train.config import OptimizerConfig


def make_optimizer(config: OptimizerConfig, steps: int, precision: str) -> keras.Optimizer:
    """An optimizer whose learning rate follows the schedule over `steps` steps.

    It does not clip: Keras would do so on each replica, before adding up. For mixed_float16 it
    scales the loss, and leaves out steps in which a gradient overflows.
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
    """Linear growth over `warmup_steps`, then constant, or half a cosine down to 0 at `steps`."""
    peak, warmup = config.learning_rate, config.warmup_steps
    schedules = keras.optimizers.schedules
    # Step 0 of a warm-up takes its first share of the peak; a rate of 0 would waste the step.
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
