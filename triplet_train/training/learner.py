"""A tower with its optimizer, and the compiled steps that train it."""

import keras
import tensorflow as tf

from triplet_train.data.images import Shape
from triplet_train.losses.mining.strategy import make_strategy
from triplet_train.training.augmentation import make_augmentation
from triplet_train.training.context import Context
from triplet_train.training.optimizers import make_optimizer
from triplet_train.training.phases import Phase, phases, trained_weights, weights_apart
from triplet_train.training.step import Step, make_step
from triplet_train.training.trained_tower import TrainedTower


class Learner:
    """A tower with its optimizer, and the compiled steps that train it.

    Args:
        tower: made in `devices.distribution.scope()`.

    Attributes:
        tower: as given.
        optimizer: built.
        averaged_weights: weights whose moving averages the optimizer keeps.
    """

    def __init__(self, context: Context, tower: keras.Model) -> None:
        config = context.config
        with context.devices.distribution.scope():
            weights = trained_weights(tower, config.model)
            self.optimizer = make_optimizer(
                config.optimizer,
                config.train.steps,
                config.train.precision,
                weights_apart(tower, config),
            )
            self.optimizer.build(weights)
        self.tower = tower
        self.averaged_weights = weights if config.optimizer.ema else []
        self._context = context
        self._phases = phases(tower, config.model, range(1, config.train.steps + 1))
        self._steps: dict[tuple[TrainedTower, bool], Step] = {}

    def phases_after(self, step: int) -> list[Phase]:
        """Return the phases of the steps that follow `step`; none of them is empty."""
        remaining = [
            Phase(tower, range(max(steps.start, step + 1), steps.stop))
            for tower, steps in self._phases
        ]
        return [phase for phase in remaining if phase.steps]

    def step(self, tower: TrainedTower, jit_compile: bool) -> Step:
        """Return the step of a phase with this tower, the same for every call."""
        config, key = self._context.config, (tower, jit_compile)
        if key not in self._steps:
            self._steps[key] = make_step(
                tower,
                self.optimizer,
                make_strategy(config.loss),
                self._context.devices,
                seed=config.seed,
                augment=make_augmentation(config.augment),
                clip_norm=config.optimizer.clip_norm,
                microbatch=config.train.microbatch,
                jit_compile=jit_compile,
            )
        return self._steps[key]

    def trace_first_step(self, image_shape: Shape) -> None:
        """Trace the first step of a new run ahead of time; only for one device that is no GPU.

        It takes Python a second or more, and may be done in a thread.

        Args:
            image_shape: height, width and channels of the training images.
        """
        config, devices = self._context.config, self._context.devices
        if self._context.resume or devices.replicas > 1 or devices.one_gpu:
            return
        size, scalar = config.batch.size, tf.TensorSpec([], tf.int32)
        step = self.step(self._phases[0].tower, config.train.jit_compile is True)
        step.get_concrete_function(
            scalar,
            scalar,
            tf.TensorSpec([size, *image_shape], tf.uint8),
            tf.TensorSpec([size], tf.int64),
        )
