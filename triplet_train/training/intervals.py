"""Steps after which a run logs, evaluates and saves."""

from typing import NamedTuple

from triplet_train.config import TrainConfig

_CHECK_EVERY = 100  # steps, also if they are logged more rarely


class Due(NamedTuple):
    """Actions after some steps.

    Attributes:
        log: write the metrics of the last step.
        evaluate: evaluate the tower.
        save: write a checkpoint.
        check: bring the metrics of all steps from the device and check them.
    """

    log: bool
    evaluate: bool
    save: bool
    check: bool


class Intervals:
    """Intervals of actions: due after the multiples of an interval and after the last step.

    Attributes:
        last: the last step of the run.
    """

    def __init__(self, train: TrainConfig) -> None:
        self.last = train.steps
        self._intervals = train.log_every, train.eval_every, train.checkpoint_every

    def due(self, steps: range) -> Due:
        """Return the actions that are due after consecutive steps, made by one call."""
        step = steps[-1]
        log, evaluate, save = (step % every == 0 or step == self.last for every in self._intervals)
        passed = (steps[0] - 1) // _CHECK_EVERY < step // _CHECK_EVERY
        return Due(log, evaluate, save, log or evaluate or save or passed)

    def next(self, step: int) -> int:
        """Return the next step with an action to log, evaluate or save; a call ends there."""
        return min(self.last, *(step - step % every + every for every in self._intervals))
