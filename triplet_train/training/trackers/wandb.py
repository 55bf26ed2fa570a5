"""Weights & Biases: a run in the project and the mode that its environment variables name."""

import shutil
from math import inf
from pathlib import Path

import wandb

from triplet_train.config import Config
from triplet_train.run.folder import RunFolder
from triplet_train.training.tracking import PATIENCE, Status, Tracker

_EXIT_CODE = {"finished": 0, "failed": 1, "stopped": 255}
_FILES = "triplet_train"  # a folder of them, since W&B writes a config.yaml of its own


def start(config: Config, run: RunFolder, id: str | None) -> Tracker:
    """Start or resume a run of W&B; see `Tracker`. Asks for no login and prints nothing."""
    started = wandb.init(
        id=id,
        name=run.path.resolve().name,
        resume="allow",
        reinit="create_new",  # beside a run that the user may have started
        settings=wandb.Settings(
            console="off",
            silent=True,
            finish_timeout=PATIENCE - 10,  # the exit of the process waits for W&B too
            finish_timeout_raises=True,
        ),
    )
    started.config.update(config.model_dump(mode="json"), allow_val_change=True)
    started.define_metric("*", step_metric="step")
    if started.offline and id:  # the folder of an earlier session has all of its steps
        return _Run(started, inf)
    return _Run(started, started.summary.get("step", 0))


class _Run:
    def __init__(self, run: wandb.Run, step: float) -> None:
        self._run, self.id, self.step = run, run.id, step
        self.place = f"{run.sync_dir}, for wandb sync" if run.offline else str(run.url)

    def metrics(self, step: int, values: dict[str, float]) -> None:
        # Not as W&B's own step, since that ignores what is logged again.
        self._run.log({"step": step, **values})

    def file(self, file: Path) -> None:
        copy = Path(self._run.dir, _FILES, file.name)
        copy.parent.mkdir(exist_ok=True)
        shutil.copyfile(file, copy)
        self._run.save(copy, base_path=self._run.dir, policy="now", glob=False)

    def end(self, status: Status) -> None:
        self._run.finish(_EXIT_CODE[status])
