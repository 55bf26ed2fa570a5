"""The checkpoints of a run: the newest few and the best, each a folder that stands by itself."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field

import keras
import numpy as np

from triplet_train.errors import RunError
from triplet_train.files import first_line, remove, replacing, sha256
from triplet_train.run.folder import CheckpointFolder, RunFolder


@dataclass
class Progress:
    """Where a run stands.

    Attributes:
        step: steps done.
        best_step: the step that was judged best so far, 0 if none was.
        best_figures: what it was judged by.
        best_sha256: of its tower's file. Says nothing of the run, as the file holds its date.
        lost: steps done that changed nothing; see `LostSteps`.
        lost_in_a_row: how many of them are the latest steps.
    """

    step: int = 0
    best_step: int = 0
    best_figures: dict[str, float] | None = None
    best_sha256: str | None = field(default=None, compare=False)
    lost: int = 0
    lost_in_a_row: int = 0


class Checkpoints:
    """`checkpoints/step_00000500/` holds embedder.keras, optimizer.npz and state.json.

    A folder is written beside its name and renamed, so that one with a step's name is whole, and
    older ones go only when it is there. The best one is kept besides the newest `keep`; `best` is a
    link to it, and `embedder.keras` in the run folder a copy of its tower.
    """

    def __init__(self, run: RunFolder, keep: int) -> None:
        self._run, self._keep = run, keep
        self._damaged: set[int] = set()

    def steps(self) -> list[int]:
        """Steps that have a checkpoint which is not known to be damaged, ascending."""
        return [step for step in self._run.saved_steps() if step not in self._damaged]

    def newest(self) -> str:
        """Names the newest checkpoint, which this object has read or written, for a message."""
        steps = self.steps()
        if not steps:
            return "none is saved"
        return f"the newest good checkpoint is {self._run.checkpoint(steps[-1])}"

    def resumption(self) -> str:
        """Says where --resume begins, for a message."""
        begins = "goes on from there" if self.steps() else "begins at step 0"
        return f"{self.newest()}. The same command with --resume {begins}"

    def save(self, tower: keras.Model, optimizer: keras.Optimizer, progress: Progress) -> None:
        """Write the checkpoint of `progress.step`, then drop those that are no longer kept.

        Raises:
            RunError: it cannot be written; those that were there still are.
        """
        folder = self._run.checkpoint(progress.step)
        is_best = progress.best_step == progress.step > 0
        try:
            self._run.checkpoints.mkdir(exist_ok=True)
            with replacing(folder.path) as beside:
                beside.mkdir()
                new = CheckpointFolder(beside)
                tower.save(new.embedder)
                state = {str(i): v.numpy() for i, v in enumerate(optimizer.variables)}
                np.savez(new.optimizer, **state)
                if is_best:
                    progress.best_sha256 = sha256(new.embedder)
                new.state.write_text(json.dumps(vars(progress), indent=1) + "\n")
            if is_best:
                self._point_to_best(folder)
        except OSError as error:
            raise RunError(
                f"the checkpoint {folder} cannot be written: {first_line(error)}; "
                f"{self.resumption()}"
            ) from error
        self._damaged.discard(progress.step)
        kept = self.steps()[-self._keep :]
        for step in self._run.saved_steps():
            if step not in (*kept, progress.best_step):
                remove(self._run.checkpoint(step).path)

    def restore(
        self, tower: keras.Model, optimizer: keras.Optimizer, say: Callable[[str], None]
    ) -> Progress:
        """Put the weights of the newest whole checkpoint into `tower` and `optimizer`.

        A run that was killed before its first checkpoint has no log either, so that to go on is to
        begin. Writes nothing.

        Args:
            optimizer: built.
            say: is told of each checkpoint that is damaged, and of a beginning.

        Raises:
            RunError: no checkpoint is whole.
        """
        if not self._run.saved_steps() and not self._run.metrics_log.exists():
            say("nothing had been saved; beginning at step 0")
            return Progress()
        for step in reversed(self._run.saved_steps()):
            try:
                progress = self._load(step, tower, optimizer)
            except Exception as error:  # the libraries raise of a damaged file what they like
                self._damaged.add(step)
                damaged = self._run.checkpoint(step)
                say(f"warning: the checkpoint {damaged} is damaged: {first_line(error)}")
                continue
            self._look_for_best(progress, say)
            return progress
        raise RunError(
            f"{self._run} holds no checkpoint that can be read; --overwrite starts again"
        )

    def put_in_order(self, progress: Progress) -> None:
        """What `restore` found wanting of the best checkpoint: its tower, or what points to it."""
        if not progress.best_step:
            return
        best = self._run.checkpoint(progress.best_step)
        if sha256(best.embedder) != progress.best_sha256:
            best.path.mkdir(exist_ok=True)
            with replacing(best.embedder) as beside:
                shutil.copyfile(self._run.embedder, beside)
        self._point_to_best(best)

    def _load(self, step: int, tower: keras.Model, optimizer: keras.Optimizer) -> Progress:
        folder = self._run.checkpoint(step)
        saved = keras.models.load_model(folder.embedder, compile=False)
        tower.set_weights(saved.get_weights())
        with np.load(folder.optimizer, allow_pickle=False) as state:
            if len(state.files) != len(optimizer.variables):  # Keras's own loading only warns
                raise ValueError(
                    f"{folder.optimizer.name} holds {len(state.files)} arrays, "
                    f"not {len(optimizer.variables)}"
                )
            for i, variable in enumerate(optimizer.variables):
                variable.assign(state[str(i)])
        return Progress(**json.loads(folder.state.read_text()))

    def _look_for_best(self, progress: Progress, say: Callable[[str], None]) -> None:
        """Where the best tower is lost, its copy will do; without one, the step that was read."""
        best, copy = self._run.checkpoint(progress.best_step).embedder, self._run.embedder
        if not progress.best_step or sha256(best) == progress.best_sha256:
            return
        self._damaged |= {progress.best_step} - {progress.step}
        lost = f"warning: {best}, the best so far, is damaged or gone"
        if sha256(copy) == progress.best_sha256:
            say(f"{lost}; it is taken back from {copy}")
            return
        say(f"{lost}; the best is chosen anew, among step {progress.step} and those to come")
        progress.best_step, progress.best_figures = progress.step, None
        progress.best_sha256 = sha256(self._run.checkpoint(progress.step).embedder)

    def _point_to_best(self, checkpoint: CheckpointFolder) -> None:
        with replacing(self._run.embedder) as beside:
            shutil.copyfile(checkpoint.embedder, beside)
        with replacing(self._run.best) as beside:
            beside.symlink_to(checkpoint.path.name)
