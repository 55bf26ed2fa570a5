"""State of training, saved with each checkpoint."""

import json
from dataclasses import dataclass, field

Metrics = dict[str, float]
_KEYS = {"best_metrics": "best_figures"}  # names of fields with an older key in the file


@dataclass
class TrainingState:
    """Steps done, and their result so far.

    Attributes:
        step: number of steps done.
        best_step: the step with the best metrics; 0 before the first evaluation.
        best_metrics: metrics of that step.
        best_sha256: SHA-256 of the tower's file of that step. The file contains its date, so that
            equal runs differ in it.
        lost: number of steps that did not change the tower; see `LostSteps`.
        lost_in_a_row: how many of them are the latest steps.
        waited: number of evaluations since the best one.
    """

    step: int = 0
    best_step: int = 0
    best_metrics: Metrics | None = None
    best_sha256: str | None = field(default=None, compare=False)
    lost: int = 0
    lost_in_a_row: int = 0
    waited: int = 0

    def out_of_patience(self, patience: int | None) -> bool:
        """Return True if as many evaluations in a row brought no better metrics."""
        return patience is not None and self.waited >= patience

    def to_json(self) -> str:
        """Return the text of state.json."""
        content = {_KEYS.get(name, name): value for name, value in vars(self).items()}
        return json.dumps(content, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "TrainingState":
        """Return the state in a text of `to_json`. Raises any error if it is damaged."""
        names = {key: name for name, key in _KEYS.items()}
        return cls(**{names.get(key, key): value for key, value in json.loads(text).items()})


def without_better(evaluations: int, metric: str) -> str:
    """Return the reason of an early end in words.

    >>> without_better(3, "eer")
    '3 evaluations in a row without a better eer'
    """
    count = "1 evaluation" if evaluations == 1 else f"{evaluations} evaluations in a row"
    return f"{count} without a better {metric}"
