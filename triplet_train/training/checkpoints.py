"""The checkpoints of a run: the newest few and the best, each a folder that stands by itself."""

import json
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from triplet_train.errors import RunError
from triplet_train.files import first_line, replacing
from triplet_train.models.embedder import EMBEDDER

_OPTIMIZER = "optimizer.npz"
_STATE = "state.json"


@dataclass
class Progress:
    """Where a run stands.

    Attributes:
        step: steps done.
        best_step: the step that was judged best so far, 0 if none was.
        best_figures: what it was judged by.
    """

    step: int = 0
    best_step: int = 0
    best_figures: dict[str, float] | None = None


class Checkpoints:
    """`checkpoints/step_00000500/` holds embedder.keras, optimizer.npz and state.json.

    A folder is written beside its name and renamed, so that one with a step's name is whole. The
    best one is kept besides the newest `keep`; `best` is a link to it, and `embedder.keras` in the
    run folder a copy of its tower.
    """

    def __init__(self, run_dir: Path, keep: int) -> None:
        self._run_dir, self._keep = run_dir, keep
        self._folder = run_dir / "checkpoints"

    def path(self, step: int) -> Path:
        return self._folder / f"step_{step:08d}"

    def save(self, tower: keras.Model, optimizer: keras.Optimizer, progress: Progress) -> None:
        """Write the checkpoint of `progress.step`, then drop those that are no longer kept."""
        path = self.path(progress.step)
        path.parent.mkdir(exist_ok=True)
        with replacing(path) as beside:
            beside.mkdir()
            tower.save(beside / EMBEDDER)
            store: dict[str, Any] = {}
            optimizer.save_own_variables(store)
            np.savez(beside / _OPTIMIZER, **store)
            (beside / _STATE).write_text(json.dumps(vars(progress), indent=1) + "\n")
        if progress.best_step == progress.step:
            self._point_to_best(path)
        for step in self.steps()[: -self._keep]:
            if step != progress.best_step:
                shutil.rmtree(self.path(step))

    def steps(self) -> list[int]:
        """Steps that have a checkpoint, ascending."""
        return sorted(
            int(path.name.removeprefix("step_"))
            for path in self._folder.glob("step_" + "[0-9]" * 8)
        )

    def restore(self, tower: keras.Model, optimizer: keras.Optimizer) -> Progress:
        """Put the newest checkpoint's weights into `tower` and `optimizer`.

        Raises:
            RunError: there is none, or it is damaged.
        """
        steps = self.steps()
        if not steps:
            raise RunError(
                f"{self._run_dir} holds no checkpoint to resume from; --overwrite starts again"
            )
        path = self.path(steps[-1])
        try:
            saved = keras.models.load_model(path / EMBEDDER, compile=False)
            tower.set_weights(saved.get_weights())
            optimizer.build(tower.trainable_variables)
            with np.load(path / _OPTIMIZER, allow_pickle=False) as store:
                optimizer.load_own_variables(dict(store))
            progress = Progress(**json.loads((path / _STATE).read_text()))
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            older = (
                f"the one before is {self.path(steps[-2])}" if steps[1:] else "it is the only one"
            )
            raise RunError(
                f"the checkpoint {path} is damaged ({first_line(error)}); {older}. "
                "Move it away to resume from what is left"
            ) from error
        if progress.best_step:  # the run may have been killed before it got there
            self._point_to_best(self.path(progress.best_step))
        return progress

    def _point_to_best(self, path: Path) -> None:
        with replacing(self._run_dir / EMBEDDER) as beside:
            shutil.copyfile(path / EMBEDDER, beside)
        with replacing(self._folder / "best") as beside:
            beside.symlink_to(path.name)
