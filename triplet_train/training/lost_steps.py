"""Detection of steps that do not change the tower, which would leave it untrained."""

import math

from triplet_train.config import Config
from triplet_train.training.state import Metrics, TrainingState

_ENOUGH = 100  # steps before a run can fail, or in a row; shorter runs are checked at their end
_FEW = 0.1  # of all steps


class LostSteps:
    """Counts lost steps in `state`, so that the count goes on when a run is resumed.

    A step is lost if its gradient overflows float16, since the optimizer then skips it; or if its
    gradient is exactly 0 although the loss is not, as when all images have the same vector.
    """

    def __init__(self, config: Config, state: TrainingState) -> None:
        self._config, self._state = config, state
        self._overflowed = False  # in this session

    def count(self, metrics: Metrics) -> None:
        """Count the next step."""
        norm = metrics["gradient_norm"]
        self._overflowed |= not math.isfinite(norm)
        if not math.isfinite(norm) or (norm == 0.0 and metrics["loss"] > 0.0):
            self._state.lost += 1
            self._state.lost_in_a_row += 1
        else:
            self._state.lost_in_a_row = 0

    def failure(self, step: int) -> str | None:
        """Return the reason to end the run after this step, if there is one."""
        enough = step >= min(_ENOUGH, self._config.train.steps)
        if enough and step - self._state.lost < _FEW * step:
            return f"the tower is hardly trained: {self._lost(step)}"
        if self._state.lost_in_a_row >= _ENOUGH:
            return f"the tower is no longer trained: {self._cause(f'{_ENOUGH} steps in a row')}"
        return None

    def advice(self, step: int) -> str | None:
        """Return advice on the failure after this step; None if smaller updates would help."""
        if self._overflowed or self._state.lost < step:
            return None
        return (
            "All gradients were 0, as when all images have the same vector. Draw the images with "
            "--dry-run --preview FILE.png; if they differ, try another model or seed"
        )

    def warning(self, step: int) -> str | None:
        """Return a warning if this is the last step and more than a few were lost."""
        last = step == self._config.train.steps
        return self._lost(step) if last and self._state.lost > _FEW * step else None

    def _lost(self, step: int) -> str:
        return self._cause(f"{self._state.lost:,} of {step:,} steps")

    def _cause(self, steps: str) -> str:
        scaled = self._config.train.precision == "mixed_float16"
        return (
            f"{steps} did not change the tower, because their gradient "
            f"{'overflowed float16 or ' * scaled}was 0 although the loss was not"
        )
