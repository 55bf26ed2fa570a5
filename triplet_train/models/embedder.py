"""Loading of trained towers."""

import os
from pathlib import Path

import keras

from triplet_train.errors import RequestError
from triplet_train.files import first_line
from triplet_train.models.hub import keras_hub
from triplet_train.models.keras_file import uses_keras_hub
from triplet_train.run.embedder_file import embedder_file


def load_embedder(path: str | os.PathLike[str]) -> keras.Model:
    """Load a trained tower in Keras's safe mode.

    Args:
        path: a run folder, for its best tower; a checkpoint of a run; or a `.keras` file.

    Returns:
        A model that maps images uint8 [N, H, W, C] to float32 [N, D].

    Raises:
        RequestError: there is no such checkpoint, or the file is not a Keras model that maps images
            to vectors.
    """
    file = embedder_file(path)
    model = load_model(file)
    shapes = [tensor.shape for tensor in (getattr(model, "inputs", None) or [])]
    if len(shapes) != 1 or len(shapes[0]) != 4 or None in shapes[0][1:]:
        raise RequestError(
            f"{file} is not an embedder: it takes {_shapes(shapes)}, not one array of images "
            "[N, H, W, C]"
        )
    outputs = [tensor.shape for tensor in model.outputs]
    if len(outputs) != 1 or [*map(type, outputs[0])] != [type(None), int]:
        raise RequestError(
            f"{file} is not an embedder: it returns {_shapes(outputs)}, not one vector per image, "
            "[N, D]"
        )
    return model


def load_model(file: Path) -> keras.Model:
    """Load a `.keras` file in safe mode, without its optimizer.

    Raises:
        RequestError: Keras cannot load it, or it needs KerasHub, which is not installed.
    """
    if uses_keras_hub(file):
        keras_hub(f"{file}")
    try:
        return keras.models.load_model(file, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises many types for damaged files
        raise RequestError(
            f"{file} cannot be loaded as a Keras model: {first_line(error)}"
        ) from error


def _shapes(shapes: list[tuple[int | None, ...]]) -> str:
    return " and ".join(map(str, shapes)) or "no array"
