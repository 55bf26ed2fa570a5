"""The checkpoints of a run: the newest few and the best, each a folder that stands by itself."""

import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from triplet_train.errors import RunError
from triplet_train.files import first_line, replacing
from triplet_train.models.embedder import EMBEDDER
from triplet_train.training.log import LINES

_OPTIMIZER = "optimizer.npz"
_STATE = "state.json"
_DAMAGE = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)


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

    A folder is written beside its name and renamed, so that one with a step's name is whole, and
    older ones go only when it is there. The best one is kept besides the newest `keep`; `best` is a
    link to it, and `embedder.keras` in the run folder a copy of its tower.
    """

    def __init__(self, run_dir: Path, keep: int) -> None:
        self._run_dir, self._keep = run_dir, keep
        self._folder = run_dir / "checkpoints"

    def path(self, step: int) -> Path:
        return self._folder / f"step_{step:08d}"

    def steps(self) -> list[int]:
        """Steps that have a checkpoint, ascending."""
        return sorted(
            int(path.name.removeprefix("step_"))
            for path in self._folder.glob("step_" + "[0-9]" * 8)
        )

    def newest(self) -> str:
        """Of the newest checkpoint, for a message."""
        steps = self.steps()
        return f"the newest good checkpoint is {self.path(steps[-1])}" if steps else "none is saved"

    def save(self, tower: keras.Model, optimizer: keras.Optimizer, progress: Progress) -> None:
        """Write the checkpoint of `progress.step`, then drop those that are no longer kept.

        Raises:
            RunError: it cannot be written; those that were there still are.
        """
        path = self.path(progress.step)
        try:
            self._folder.mkdir(exist_ok=True)
            with replacing(path) as beside:
                beside.mkdir()
                tower.save(beside / EMBEDDER)
                state = {str(i): v.numpy() for i, v in enumerate(optimizer.variables)}
                np.savez(beside / _OPTIMIZER, **state)
                (beside / _STATE).write_text(json.dumps(vars(progress), indent=1) + "\n")
            if progress.best_step == progress.step > 0:
                self._point_to_best(path)
        except OSError as error:
            raise RunError(
                f"the checkpoint {path} cannot be written: {first_line(error)}; {self.newest()}. "
                "The same command with --resume goes on from there"
            ) from error
        # Checkpoints of later steps are those that could not be restored when this run began.
        kept = [step for step in self.steps() if step <= progress.step][-self._keep :]
        for step in self.steps():
            if step not in (*kept, progress.best_step):
                shutil.rmtree(self.path(step))

    def restore(
        self, tower: keras.Model, optimizer: keras.Optimizer, say: Callable[[str], None]
    ) -> Progress:
        """Put the weights of the newest whole checkpoint into `tower` and `optimizer`.

        A run that was killed in its first moment has done nothing and saved nothing, so that to go
        on is to begin.

        Args:
            optimizer: built.
            say: is told of each checkpoint that is damaged.

        Raises:
            RunError: no checkpoint is whole.
        """
        if not self.steps() and not (self._run_dir / LINES).exists():
            return Progress()
        for step in reversed(self.steps()):
            try:
                progress = self._load(step, tower, optimizer)
            except _DAMAGE as error:
                say(f"warning: the checkpoint {self.path(step)} is damaged: {first_line(error)}")
                continue
            if not self._is_whole(progress.best_step, besides=step):
                best = self.path(progress.best_step)
                say(f"warning: {best}, the best so far, is damaged; the best is chosen anew")
                progress = Progress(progress.step)
            return progress
        raise RunError(
            f"{self._run_dir} holds no checkpoint that can be read; --overwrite starts again"
        )

    def mend_best(self, progress: Progress) -> None:
        """Point to the best checkpoint, as the run may have been killed before it got there."""
        if progress.best_step:
            self._point_to_best(self.path(progress.best_step))

    def _load(self, step: int, tower: keras.Model, optimizer: keras.Optimizer) -> Progress:
        path = self.path(step)
        saved = keras.models.load_model(path / EMBEDDER, compile=False)
        tower.set_weights(saved.get_weights())
        with np.load(path / _OPTIMIZER, allow_pickle=False) as state:
            if len(state.files) != len(optimizer.variables):  # Keras's own loading only warns
                raise ValueError(
                    f"{_OPTIMIZER} holds {len(state.files)} arrays, not {len(optimizer.variables)}"
                )
            for i, variable in enumerate(optimizer.variables):
                variable.assign(state[str(i)])
        return Progress(**json.loads((path / _STATE).read_text()))

    def _is_whole(self, step: int, besides: int) -> bool:
        """Whether the tower of `step` can be read; no step, and one that was read before, can."""
        if step in (0, besides):
            return True
        try:
            keras.models.load_model(self.path(step) / EMBEDDER, compile=False)
        except _DAMAGE:
            return False
        return True

    def _point_to_best(self, path: Path) -> None:
        with replacing(self._run_dir / EMBEDDER) as beside:
            shutil.copyfile(path / EMBEDDER, beside)
        with replacing(self._folder / "best") as beside:
            beside.symlink_to(path.name)
