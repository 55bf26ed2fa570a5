"""The files that a run takes its first weights from. Looked at without TensorFlow."""

import zipfile
from pathlib import Path

from triplet_train.config import ModelConfig
from triplet_train.errors import RequestError
from triplet_train.files import sha256
from triplet_train.models.keras_file import read_backbone
from triplet_train.run.request import TrainRequest


def require_pretrained(request: TrainRequest) -> None:
    """Refuse pretrained weights that are missing or do not fit, before anything is downloaded.

    Raises:
        RequestError: see `read_backbone`; or there is no file `model.weights`.
    """
    model, data = starting_model(request), request.config.data
    if model.weights and not Path(model.weights).is_file():
        raise RequestError(f"model.weights: no file {model.weights}")
    if model.backbone:
        file = read_backbone(model.backbone, model.input_range)
        file.require(data.image_size, data.channels)


def starting_model(request: TrainRequest) -> ModelConfig:
    """Return the section `model` from which the tower is built.

    A run that is resumed needs no pretrained weights, since its checkpoints have all weights. They
    have the layers of a backbone too, in case its file is gone or has changed. A run that saved no
    checkpoint needs its files, as at its start.
    """
    model, run = request.config.model, request.run
    towers = (run.checkpoint(step).embedder for step in reversed(run.saved_steps()))
    tower = next(filter(_is_whole, towers), None) if request.resume else None
    if tower is None:
        return model
    own = {"backbone": str(tower), "input_range": None} if model.backbone else {}
    return model.model_copy(update={"weights": None, **own})


def pretrained_digests(model: ModelConfig) -> dict[str, str | None]:
    """Return the SHA-256 of the files of pretrained weights, by key."""
    files = {"model.weights": model.weights, "model.backbone": model.backbone}
    return {key: sha256(Path(file)) for key, file in files.items() if file}


def _is_whole(file: Path) -> bool:
    try:
        with zipfile.ZipFile(file) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile):
        return False
