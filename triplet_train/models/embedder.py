"""Finding and loading a trained tower."""

import os
from pathlib import Path

import keras

from triplet_train.errors import RequestError
from triplet_train.files import first_line
from triplet_train.run.folder import EMBEDDER, RunFolder


def embedder_file(path: str | os.PathLike[str]) -> Path:
    """The `.keras` file that `path` stands for: a run folder's best tower, a checkpoint's, itself.

    Raises:
        RequestError: there is none.
    """
    path = Path(path)
    if not path.exists():
        raise RequestError(f"no checkpoint at {path}: no such file or folder")
    file = path / EMBEDDER if path.is_dir() else path
    if not file.is_file():
        run = RunFolder(path)
        saved = [c for c in map(run.checkpoint, run.saved_steps()) if c.embedder.is_file()]
        if saved:
            raise RequestError(
                f"{path} holds no {EMBEDDER} yet: a run writes it at its first evaluation; "
                f"its newest checkpoint is {saved[-1]}, which can be named instead"
            )
        raise RequestError(
            f"{path} is no checkpoint: it holds no {EMBEDDER}; expected a run folder, "
            "a folder in its checkpoints/, or a .keras file"
        )
    if file.suffix != ".keras":
        raise RequestError(f"{file} is no checkpoint: a model file ends in .keras")
    return file


def load_embedder(path: str | os.PathLike[str]) -> keras.Model:
    """The tower at `path` (see `embedder_file`), loaded in Keras's safe mode.

    Raises:
        RequestError: no such checkpoint, or a file that is not a Keras model.
    """
    file = embedder_file(path)
    try:
        model = keras.models.load_model(file, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises of a damaged file whatever it happens on
        raise RequestError(
            f"{file} cannot be loaded as a Keras model: {first_line(error)}"
        ) from error
    shapes = [tensor.shape for tensor in (getattr(model, "inputs", None) or [])]
    if len(shapes) != 1 or len(shapes[0]) != 4 or None in shapes[0][1:]:
        raise RequestError(f"{file} is no embedder: it does not take images of one size")
    if len(model.outputs) != 1 or [*map(type, model.outputs[0].shape)] != [type(None), int]:
        raise RequestError(f"{file} is no embedder: it does not give one vector per image")
    return model
