"""Checks of every step: values that are not finite, a collapse, images that cannot be read."""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf

from triplet_train.data.batches import make_batches
from triplet_train.data.images import ImageTable
from triplet_train.errors import RunError
from triplet_train.files import first_line, write_json
from triplet_train.training.checkpoints import Checkpoints
from triplet_train.training.collapse import Collapse
from triplet_train.training.context import Context
from triplet_train.training.log import RunLog
from triplet_train.training.lost_steps import LostSteps
from triplet_train.training.state import Metrics, TrainingState
from triplet_train.training.step import StepMetrics

# Explained by `Devices.failures_explained`.
_OF_DEVICES = (
    tf.errors.ResourceExhaustedError,
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
)
_OVERFLOWS = 16  # steps in a row; a loss scale of 2**15 is then below 1 and useless


class Watch:
    """Collects the metrics of every step, and checks those of several steps together.

    A check waits for the device, so it does not follow every step.

    Args:
        images: the training images.
        state: receives the number of lost steps.
        log: receives warnings; None on the workers that do not write.
    """

    def __init__(
        self,
        context: Context,
        tower: keras.Model,
        images: ImageTable,
        checkpoints: Checkpoints,
        state: TrainingState,
        log: RunLog | None,
    ) -> None:
        self._config, self._run = context.config, context.run
        self._tower, self._images = tower, images
        self._checkpoints, self._log = checkpoints, log
        self._unseen: list[tuple[range, StepMetrics]] = []
        self._overflows = 0
        self._collapse = Collapse(self._config)
        self._lost = LostSteps(self._config, state)

    def note(self, steps: range, metrics: StepMetrics) -> None:
        """Add the metrics of some steps: scalars, or [steps] each."""
        self._unseen.append((steps, metrics))

    def check(self) -> Metrics:
        """Check all steps since the last call, and return the metrics of the last one.

        Raises:
            RunError: a loss, a gradient or a weight is not finite, or too many steps are lost.
        """
        for step, metrics in (each for noted in self._unseen for each in _by_step(*noted)):
            self._require_finite(step, metrics)
            self._lost.count(metrics)
            if failure := self._lost.failure(step):
                self._fail(failure, self._lost.advice(step))
            for warning in (self._collapse.warning(step, metrics), self._lost.warning(step)):
                if warning and self._log:
                    self._log.warn(warning)
        self._unseen.clear()
        # The loss of a step precedes its update; the weights follow it.
        if not all(np.isfinite(weight).all() for weight in self._tower.get_weights()):
            self._fail(f"a weight is not finite after step {step}")
        return metrics

    @contextmanager
    def reading(self, step: int) -> Iterator[None]:
        """Raise RunError that names the image if an image of the step's batch cannot be read."""
        try:
            yield
        except _OF_DEVICES:
            raise
        except RunError as error:  # images of several steps are read together
            raise RunError(
                f"while reading images for step {step} or a following step: {error}; "
                f"{self._checkpoints.newest()}"
            ) from error
        except tf.errors.OpError as error:
            try:
                self._images.read(self._rows(step))
            except RunError as failure:
                raise RunError(
                    f"while reading images for step {step}: {failure}; {self._checkpoints.newest()}"
                ) from error
            raise RunError(
                f"while reading images for step {step}: images could not be read "
                f"({_cause(error)}), but a second attempt succeeded; the disk may have been "
                f"unavailable for a moment; {self._checkpoints.resumption()}"
            ) from error

    def _rows(self, step: int) -> np.ndarray:
        # New batches, since the input thread uses the others.
        return make_batches(self._config, self._images.labels).rows(step - 1)

    def _require_finite(self, step: int, metrics: Metrics) -> None:
        if not math.isfinite(metrics["loss"]):
            self._fail_with_batch(step, f"the loss is {metrics['loss']}")
        self._overflows = 0 if math.isfinite(metrics["gradient_norm"]) else self._overflows + 1
        # With a scaled loss single steps may overflow: they are skipped and the scale is halved.
        scaled = self._config.train.precision == "mixed_float16"
        if self._overflows == (_OVERFLOWS if scaled else 1):
            times = f" ({_OVERFLOWS} steps in a row)" if scaled else ""
            self._fail_with_batch(step, f"the gradient is no longer finite{times}")

    def _fail_with_batch(self, step: int, what: str) -> None:
        ids = [self._images.ids[row] for row in self._rows(step)]
        where = ""
        if self._log:
            write_json(self._run.failed_batch, {"step": step, "ids": ids})
            where = f"; {self._run.failed_batch} lists all of them"
        self._fail(
            f"{what} at step {step}, whose batch has {len(ids)} images: {', '.join(ids[:3])} ..."
            f"{where}"
        )

    def _fail(self, what: str, advice: str | None = None) -> None:
        scaled = self._config.train.precision == "mixed_float16"
        smaller = (
            f"Try {'train.precision: mixed_bfloat16, ' if scaled else ''}"
            "a smaller optimizer.learning_rate, or set optimizer.clip_norm"
        )
        raise RunError(f"{what}; {self._checkpoints.newest()}. {advice or smaller}")


def _cause(error: tf.errors.OpError) -> str:
    """Return the message that was raised while a batch was read, without TensorFlow's report."""
    raised = re.search(
        r"^.*?\bRunError: (?:cannot read the image )?(.*)$", error.message, re.MULTILINE
    )
    return raised[1] if raised else first_line(error)


def _by_step(steps: range, metrics: StepMetrics) -> Iterator[tuple[int, Metrics]]:
    named = metrics.triplets._asdict() | metrics._asdict()
    columns = {
        name: np.atleast_1d(value).tolist()
        for name, value in named.items()
        if name not in ("triplets", "stopping")
    }
    for index, step in enumerate(steps):
        yield step, {name: column[index] for name, column in columns.items()}
