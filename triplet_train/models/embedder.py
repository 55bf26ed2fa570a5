"""Finding and loading a trained tower."""

import os
import zipfile
from pathlib import Path

import keras

from triplet_train.errors import RequestError

EMBEDDER = "embedder.keras"


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
        raise RequestError(
            f"{path} is no checkpoint: it holds no {EMBEDDER}; expected a run folder, "
            "a folder in its checkpoints/, or a .keras file"
        )
    return file


def load_embedder(path: str | os.PathLike[str]) -> keras.Model:
    """The tower at `path` (see `embedder_file`), loaded in Keras's safe mode.

    Raises:
        RequestError: no such checkpoint, or a file that is not a Keras model.
    """
    file = embedder_file(path)
    if file.suffix != ".keras":
        raise RequestError(f"{file} is no checkpoint: a model file ends in .keras")
    try:
        model = keras.models.load_model(file, compile=False, safe_mode=True)
    except (ValueError, TypeError, KeyError, OSError, zipfile.BadZipFile) as error:
        reason = str(error).strip().split("\n")[0]
        raise RequestError(f"{file} cannot be loaded as a Keras model: {reason}") from error
    if len(model.inputs) != 1 or len(model.inputs[0].shape) != 4 or len(model.outputs) != 1:
        raise RequestError(f"{file} is no embedder: it does not map images to one vector each")
    return model
