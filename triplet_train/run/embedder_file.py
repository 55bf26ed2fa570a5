"""The file of a trained tower, found without TensorFlow."""

import os
from pathlib import Path

from triplet_train.errors import RequestError
from triplet_train.run.folder import RunFolder


def embedder_file(path: str | os.PathLike[str]) -> Path:
    """Find the `.keras` file of a run folder (its best tower), of a checkpoint, or at `path`.

    Raises:
        RequestError: there is no such file.
    """
    path = Path(path)
    if not path.exists():
        raise RequestError(f"no checkpoint at {path}: no such file or folder")
    run = RunFolder(path)
    file = run.embedder if path.is_dir() else path
    if not file.is_file():
        saved = [c for c in map(run.checkpoint, run.saved_steps()) if c.embedder.is_file()]
        if saved:
            raise RequestError(
                f"{path} holds no {run.embedder.name} yet: a run writes it at its first "
                f"evaluation; its newest checkpoint is {saved[-1]}, which can be named instead"
            )
        raise RequestError(
            f"{path} is not a checkpoint: it holds no {run.embedder.name}; expected a run folder, "
            "a folder in its checkpoints/, or a .keras file"
        )
    if file.suffix != ".keras":
        raise RequestError(f"{file} is not a checkpoint: a model file ends in .keras")
    return file
