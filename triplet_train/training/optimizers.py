"""From the `optimizer` section of a configuration to a Keras optimizer."""

from typing import Any

import keras

from triplet_train.config import OptimizerConfig


def make_optimizer(config: OptimizerConfig, steps: int) -> keras.Optimizer:
    """An optimizer whose learning rate follows the schedule over `steps` steps."""
    rate = learning_rate(config, steps)
    options: dict[str, Any] = {"global_clipnorm": config.clip_norm}
    if config.weight_decay:
        options["weight_decay"] = config.weight_decay
    if config.name == "sgd":
        return keras.optimizers.SGD(rate, momentum=0.9, **options)
    if config.name == "adamw":
        return keras.optimizers.AdamW(rate, **({"weight_decay": 0.0} | options))
    return keras.optimizers.Adam(rate, **options)


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
