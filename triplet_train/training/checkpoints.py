"""Checkpoints of a run: the newest few and the best."""

import shutil
from collections.abc import Callable, Sequence

import keras
import numpy as np

from triplet_train.errors import RunError
from triplet_train.files import first_line, remove, replacing, sha256
from triplet_train.run.folder import CheckpointFolder, RunFolder
from triplet_train.training.averages import averaged
from triplet_train.training.state import TrainingState


class Checkpoints:
    """Saves and restores a tower, its optimizer and the state of training.

    A checkpoint is written beside its final name and renamed, and older ones are removed
    afterwards: a folder with the name of a step is complete. The best checkpoint is kept besides
    the newest `keep`. `best` in the folder is a link to it, and embedder.keras of the run a copy of
    its tower.

    Args:
        optimizer: built.
        averaged_weights: weights whose moving averages the optimizer keeps. The saved tower has the
            averages, and the file of the optimizer the weights themselves.
    """

    def __init__(
        self,
        run: RunFolder,
        tower: keras.Model,
        optimizer: keras.Optimizer,
        keep: int,
        averaged_weights: Sequence[keras.Variable] = (),
    ) -> None:
        self._run, self._keep = run, keep
        self._tower, self._optimizer = tower, optimizer
        self._averaged_weights = averaged_weights
        self._damaged: set[int] = set()

    def steps(self) -> list[int]:
        """Return the steps with a checkpoint that is not known to be damaged, ascending."""
        return [step for step in self._run.saved_steps() if step not in self._damaged]

    def newest(self) -> str:
        """Return a clause for messages that names the newest good checkpoint."""
        steps = self.steps()
        if not steps:
            return "no checkpoint was saved"
        return f"the newest good checkpoint is {self._run.checkpoint(steps[-1])}"

    def resumption(self) -> str:
        """Return a sentence for messages that says where --resume starts."""
        start = "goes on from there" if self.steps() else "starts at step 0"
        return f"{self.newest()}. The same command with --resume {start}"

    def save(self, state: TrainingState) -> None:
        """Write the checkpoint of `state.step`, then remove those that are no longer kept.

        Raises:
            RunError: it cannot be written. The existing ones remain.
        """
        folder = self._run.checkpoint(state.step)
        is_best = state.best_step == state.step > 0
        try:
            self._run.checkpoints.mkdir(exist_ok=True)
            with replacing(folder.path) as beside:
                beside.mkdir()
                self._write(CheckpointFolder(beside), state, is_best)
            if is_best:
                self._point_to_best(folder)
        except OSError as error:
            raise RunError(
                f"the checkpoint {folder} cannot be written: {first_line(error)}; "
                f"{self.resumption()}"
            ) from error
        self._damaged.discard(state.step)
        kept = self.steps()[-self._keep :]
        for step in self._run.saved_steps():
            if step not in (*kept, state.best_step):
                remove(self._run.checkpoint(step).path)

    def restore(self, warn: Callable[[str], None]) -> TrainingState:
        """Load the newest checkpoint that can be read. Writes nothing.

        A run without a checkpoint and without a log was killed before its first step. It starts at
        step 0.

        Args:
            warn: receives a message for each damaged checkpoint, and if the run starts at step 0.

        Raises:
            RunError: no checkpoint can be read.
        """
        if not self._run.saved_steps() and not self._run.metrics_log.exists():
            warn("no checkpoint was saved; starting at step 0")
            return TrainingState()
        for step in reversed(self._run.saved_steps()):
            folder = self._run.checkpoint(step)
            try:
                state = self._load(folder)
            except Exception as error:  # libraries raise all kinds of errors for damaged files
                self._damaged.add(step)
                warn(f"the checkpoint {folder} is damaged: {first_line(error)}")
                continue
            self._require_best(state, warn)
            return state
        raise RunError(
            f"{self._run} has no readable checkpoint and cannot be resumed; give --overwrite "
            "instead of --resume to start again"
        )

    def repair_best(self, state: TrainingState) -> None:
        """Restore the best checkpoint: write its tower if necessary, the link and the copy."""
        if not state.best_step:
            return
        best = self._run.checkpoint(state.best_step)
        if sha256(best.embedder) != state.best_sha256:
            best.path.mkdir(exist_ok=True)
            with replacing(best.embedder) as beside:
                shutil.copyfile(self._run.embedder, beside)
        self._point_to_best(best)

    def _variables(self) -> list[keras.Variable]:
        return [*self._optimizer.variables, *self._averaged_weights]

    def _write(self, folder: CheckpointFolder, state: TrainingState, is_best: bool) -> None:
        arrays = {str(i): v.numpy() for i, v in enumerate(self._variables())}
        with averaged(self._averaged_weights, self._optimizer):
            self._tower.save(folder.embedder)
        np.savez(folder.optimizer, **arrays)
        if is_best:
            state.best_sha256 = sha256(folder.embedder)
        folder.state.write_text(state.to_json())

    def _load(self, folder: CheckpointFolder) -> TrainingState:
        saved = keras.models.load_model(folder.embedder, compile=False)
        self._tower.set_weights(saved.get_weights())
        variables = self._variables()
        with np.load(folder.optimizer, allow_pickle=False) as arrays:
            if len(arrays.files) != len(variables):  # Keras would only warn
                raise ValueError(
                    f"{folder.optimizer.name} holds {len(arrays.files)} arrays, "
                    f"not {len(variables)}"
                )
            for i, variable in enumerate(variables):
                variable.assign(arrays[str(i)])
        return TrainingState.from_json(folder.state.read_text())

    def _require_best(self, state: TrainingState, warn: Callable[[str], None]) -> None:
        """Take a lost best tower from its copy; without one, make the loaded step the best."""
        best, copy = self._run.checkpoint(state.best_step).embedder, self._run.embedder
        if not state.best_step or sha256(best) == state.best_sha256:
            return
        self._damaged |= {state.best_step} - {state.step}
        lost = f"{best}, the best so far, is damaged or missing"
        if sha256(copy) == state.best_sha256:
            warn(f"{lost}; it is restored from {copy}")
            return
        warn(f"{lost}; the best is chosen again, from step {state.step} and later steps")
        state.best_step, state.best_metrics = state.step, None
        state.best_sha256 = sha256(self._run.checkpoint(state.step).embedder)

    def _point_to_best(self, folder: CheckpointFolder) -> None:
        with replacing(self._run.embedder) as beside:
            shutil.copyfile(folder.embedder, beside)
        with replacing(self._run.best) as beside:
            beside.symlink_to(folder.path.name)
