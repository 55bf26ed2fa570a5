"""MLflow: a run in the place and the experiment that its environment variables name."""

import os
import re
from pathlib import Path

import mlflow
from mlflow.exceptions import MlflowException

from triplet_train.config import Config, by_key
from triplet_train.run.folder import RunFolder
from triplet_train.training.tracking import Status, Tracker

_STATUS = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}


def start(config: Config, run: RunFolder, id: str | None) -> Tracker:
    """Start or resume a run of MLflow; see `Tracker`.

    MLflow never changes a parameter, so those of the first session stay.
    """
    # MLflow would print to standard output, where the result of the command goes.
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    if id and _is_active(id):
        mlflow.start_run(id)
        logged = mlflow.MlflowClient().get_metric_history(id, "loss")
        return _Run(id, max((metric.step for metric in logged), default=0))
    new = mlflow.start_run(run_name=run.path.resolve().name)
    mlflow.log_params(by_key(config), synchronous=True)
    return _Run(new.info.run_id, 0)


class _Run:
    """The active run of this thread."""

    def __init__(self, id: str, step: float) -> None:
        self.id, self.step = id, step
        uri = mlflow.get_tracking_uri().rpartition("@")[2]  # without a password
        self.place = f"run {id} in {uri}"

    def metrics(self, step: int, values: dict[str, float]) -> None:
        mlflow.log_metrics({_name(key): values[key] for key in values}, step, synchronous=True)

    def file(self, file: Path) -> None:
        mlflow.log_artifact(str(file))

    def end(self, status: Status) -> None:
        mlflow.end_run(_STATUS[status])


def _is_active(id: str) -> bool:
    """Return False if the run is unknown here, or was deleted."""
    try:
        stage: str = mlflow.get_run(id).info.lifecycle_stage
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return False
    return stage == "active"


def _name(key: str) -> str:
    """Replace characters that MLflow refuses, as in test[:50%]."""
    return re.sub(r"[^\w.\-/ ]", "_", key)
