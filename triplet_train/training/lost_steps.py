"""Tells when steps leave the tower as it was, so that a run ends with one that is not trained."""

import math

from triplet_train.config import Config
from triplet_train.training.checkpoints import Progress

_ENOUGH = 100  # steps to tell by, or in a row; a shorter run is told by all of its own
_FEW = 0.1  # of all steps


class LostSteps:
    """Looks at one step after the other, and counts in `progress` those that are lost.

    A step is lost where its gradient overflows float16, with which the optimizer leaves it out, and
    where its gradient is exactly 0 although the loss is not, as when all images have one vector.

    Args:
        progress: of the run, so that the count goes on when it is resumed.
    """

    def __init__(self, config: Config, progress: Progress) -> None:
        self._config, self._progress = config, progress
        self._overflowed = False  # in this session

    def count(self, figures: dict[str, float]) -> None:
        norm = figures["gradient_norm"]
        self._overflowed |= not math.isfinite(norm)
        if not math.isfinite(norm) or (norm == 0.0 and figures["loss"] > 0.0):
            self._progress.lost += 1
            self._progress.lost_in_a_row += 1
        else:
            self._progress.lost_in_a_row = 0

    def failure(self, step: int) -> str | None:
        """The reason for which the run is to end after this step, if there is one."""
        enough = step >= min(_ENOUGH, self._config.train.steps)
        if enough and step - self._progress.lost < _FEW * step:
            return f"the tower is hardly trained: {self._told(step)}"
        if self._progress.lost_in_a_row >= _ENOUGH:
            return f"the tower is no longer trained: {self._cause(f'{_ENOUGH} steps in a row')}"
        return None

    def advice(self, step: int) -> str | None:
        """Advice on the failure after this step; None: what helps against large steps."""
        if self._overflowed or self._progress.lost < step:
            return None
        return (
            "No step had a gradient, as when all images have one vector: see with --dry-run "
            "--preview FILE.png whether they differ; if they do, try another model or seed"
        )

    def warning(self, step: int) -> str | None:
        """Warning about a run that ends with this step and has lost more than a few."""
        last = step == self._config.train.steps
        return (
            f"warning: {self._told(step)}" if last and self._progress.lost > _FEW * step else None
        )

    def _told(self, step: int) -> str:
        return self._cause(f"{self._progress.lost:,} of {step:,} steps")

    def _cause(self, steps: str) -> str:
        scaled = self._config.train.precision == "mixed_float16"
        return (
            f"{steps} have changed nothing, as their gradient "
            f"{'overflowed float16 or ' * scaled}was 0 although the loss was not"
        )
