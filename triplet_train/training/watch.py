"""Looks at every step for what makes a run worthless: numbers that are not finite, a collapse."""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf

from triplet_train.config import Config
from triplet_train.data.batches import make_batches
from triplet_train.data.images import ImageTable
from triplet_train.errors import RunError
from triplet_train.files import first_line, write_json
from triplet_train.run.folder import RunFolder
from triplet_train.training.checkpoints import Checkpoints, Progress
from triplet_train.training.collapse import Collapse
from triplet_train.training.log import RunLog
from triplet_train.training.lost_steps import LostSteps
from triplet_train.training.step import StepFigures

Figures = dict[str, float]
# What `Devices.failures_explained` explains.
_OF_DEVICES = (
    tf.errors.ResourceExhaustedError,
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
)
_OVERFLOWS = 16  # steps in a row; a loss scale of 2**15 is then below 1 and of no use


class Watch:
    """Figures are kept as they come and looked at now and then, since that makes the device wait.

    Args:
        images: what is trained on.
        progress: of the run; steps that change nothing are counted in it.
        run: receives the ids of a batch that fails, if there is a log.
        log: receives warnings. None: another worker does so.
    """

    def __init__(
        self,
        config: Config,
        tower: keras.Model,
        images: ImageTable,
        checkpoints: Checkpoints,
        progress: Progress,
        run: RunFolder,
        log: RunLog | None,
    ) -> None:
        self._config, self._tower = config, tower
        self._images = images
        self._checkpoints, self._run, self._log = checkpoints, run, log
        self._unseen: list[tuple[range, StepFigures]] = []
        self._overflows = 0
        self._collapse = Collapse(config)
        self._lost = LostSteps(config, progress)

    def note(self, steps: range, figures: StepFigures) -> None:
        """Keep the figures of some steps, as scalars or, of several, [steps] each."""
        self._unseen.append((steps, figures))

    def look(self) -> Figures:
        """The figures of the last step, when all steps since the last call have been looked at.

        Raises:
            RunError: a loss, a gradient or a weight is not finite, or hardly a step changes the
                tower, or none any more.
        """
        for step, numbers in (each for kept in self._unseen for each in _numbers(*kept)):
            self._require_finite(step, numbers)
            self._lost.count(numbers)
            if failure := self._lost.failure(step):
                self._fail(failure, self._lost.advice(step))
            for warning in (self._collapse.warning(step, numbers), self._lost.warning(step)):
                if warning and self._log:
                    self._log.say(warning)
        self._unseen.clear()
        # A loss tells of the weights before its step's update; look at those after it too.
        if not all(np.isfinite(weight).all() for weight in self._tower.get_weights()):
            self._fail(f"a weight is not finite after step {step}")
        return numbers

    @contextmanager
    def of_reading(self, step: int) -> Iterator[None]:
        """Raises RunError, and says which, where an image of the step's batch cannot be read."""
        try:
            yield
        except _OF_DEVICES:
            raise
        except RunError as error:  # of several steps, read at once
            raise RunError(
                f"step {step} or soon after: {error}; {self._checkpoints.newest()}"
            ) from error
        except tf.errors.OpError as error:
            try:
                self._images.read(self._rows(step))
            except RunError as failure:
                raise RunError(f"step {step}: {failure}; {self._checkpoints.newest()}") from error
            raise RunError(
                f"step {step}: images could not be read, and now they can be: {_cause(error)}; "
                f"{self._checkpoints.resumption()}"
            ) from error

    def _rows(self, step: int) -> np.ndarray:
        # The input thread is using its own.
        return make_batches(self._config, self._images.labels).rows(step - 1)

    def _require_finite(self, step: int, numbers: Figures) -> None:
        if not math.isfinite(numbers["loss"]):
            self._fail_of_batch(step, f"the loss is {numbers['loss']}")
        self._overflows = 0 if math.isfinite(numbers["gradient_norm"]) else self._overflows + 1
        # With a scaled loss single steps may overflow; they are left out and the scale is halved.
        scaled = self._config.train.precision == "mixed_float16"
        if self._overflows == (_OVERFLOWS if scaled else 1):
            times = f" ({_OVERFLOWS} steps in a row)" if scaled else ""
            self._fail_of_batch(step, f"the gradient is no longer finite{times}")

    def _fail_of_batch(self, step: int, what: str) -> None:
        rows = [self._images.ids[row] for row in self._rows(step)]
        where = ""
        if self._log:
            write_json(self._run.failed_batch, {"step": step, "ids": rows})
            where = f", all of them in {self._run.failed_batch}"
        self._fail(
            f"{what} at step {step}; its batch has the rows {', '.join(rows[:3])} ... "
            f"({len(rows)}{where})"
        )

    def _fail(self, what: str, advice: str | None = None) -> None:
        scaled = self._config.train.precision == "mixed_float16"
        smaller = (
            f"Try {'train.precision: mixed_bfloat16, ' if scaled else ''}"
            "a smaller optimizer.learning_rate or set optimizer.clip_norm"
        )
        raise RunError(f"{what}; {self._checkpoints.newest()}. {advice or smaller}")


def _cause(error: tf.errors.OpError) -> str:
    """What was raised while a batch was read, out of the page that TensorFlow makes of it."""
    raised = re.search(r"^.*?\bRunError: (.*)$", error.message, re.MULTILINE)
    return raised[1] if raised else first_line(error)


def _numbers(steps: range, figures: StepFigures) -> Iterator[tuple[int, Figures]]:
    """Each step with its figures."""
    named = figures.triplets._asdict() | figures._asdict()
    columns = {
        name: np.atleast_1d(value).tolist()
        for name, value in named.items()
        if name not in ("triplets", "stopping")
    }
    for index, step in enumerate(steps):
        yield step, {name: column[index] for name, column in columns.items()}
