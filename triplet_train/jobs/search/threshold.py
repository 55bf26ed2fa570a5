"""The distance up to which two images are called the same."""

import math
from pathlib import Path
from typing import NamedTuple

from triplet_train.errors import RequestError
from triplet_train.files import read_json, sha256
from triplet_train.registry import either
from triplet_train.run.folder import RunFolder, run_of

_DEFAULT = "eer"


class Threshold(NamedTuple):
    """A threshold.

    Attributes:
        distance: Euclidean; None: there is none.
        origin: a phrase that says where it comes from, or why there is none.
    """

    distance: float | None
    origin: str

    def accepts(self, distance: float) -> bool | None:
        """Return True if images at this distance are called the same; None: unknown."""
        return None if self.distance is None else distance <= self.distance


def threshold_of(tower_file: Path | None, asked: str | None) -> Threshold:
    """Return the threshold that the user asks for, or else the one with equal error rates.

    Args:
        tower_file: the `.keras` file whose run has measured thresholds; None: an exported tower.
        asked: a distance, or the name of a threshold of the run.

    Raises:
        RequestError: the run has no such threshold, or the distance is negative.
    """
    if asked is not None:
        try:
            distance = float(asked)
        except ValueError:
            pass
        else:
            if not 0 <= distance < math.inf:
                raise RequestError(f"--threshold {asked}: expected a distance of 0 or more")
            return Threshold(distance, "--threshold")
    found = _of_run(tower_file)
    thresholds, origin = found if isinstance(found, tuple) else ({}, found)
    name = asked or _DEFAULT
    if name in thresholds:
        return Threshold(thresholds[name], f"the threshold {name} of {origin}")
    known = f"it has {either(thresholds)}" if thresholds else "it has none"
    if asked is not None:
        reason = f"{origin}; {known}" if thresholds else origin
        raise RequestError(f"--threshold {asked}: neither a distance nor a threshold of {reason}")
    return Threshold(None, f"{origin}, but no {name}" if thresholds else origin)


def _of_run(tower_file: Path | None) -> tuple[dict[str, float], str] | str:
    """Return the thresholds of a run by name with their origin, or the reason why it has none."""
    if tower_file is None:
        return "an export has no thresholds"
    run = run_of(tower_file)
    if run is None:
        return f"{tower_file} does not belong to a run"
    if not run.metrics.is_file():
        return f"{run} has no {run.metrics.name} yet"
    if not _is_best(tower_file, run):
        return f"the thresholds in {run.metrics} are those of another checkpoint, the best"
    metrics = read_json(run.metrics)
    thresholds = metrics.get("thresholds")
    if not (isinstance(thresholds, dict) and thresholds):
        return f"{run.metrics} has no thresholds"
    return thresholds, f"{metrics.get('split')} in {run.metrics}"


def _is_best(tower_file: Path, run: RunFolder) -> bool:
    return tower_file == run.embedder or sha256(tower_file) == sha256(run.embedder)
