"""The files that a run takes its first weights from. Looked at without TensorFlow."""

import zipfile
from pathlib import Path

from triplet_train.config import ModelConfig
from triplet_train.errors import RequestError
from triplet_train.files import sha256
from triplet_train.models.hub import require_keras_hub
from triplet_train.models.keras_file import read_backbone
from triplet_train.registry import IMAGENET
from triplet_train.run.request import TrainRequest


def require_pretrained(request: TrainRequest) -> None:
    """Refuse pretrained weights that are missing or do not fit, before anything is downloaded.

    Raises:
        RequestError: see `read_backbone`; or there is no file `model.weights`.
    """
    model, data = starting_model(request), request.config.data
    if model.weights not in (None, IMAGENET) and not Path(model.weights).is_file():
        raise RequestError(f"model.weights: no file {model.weights}")
    if model.tower == "keras_hub":
        require_keras_hub("model.tower: keras_hub")
    if model.tower == "keras" and model.backbone:
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
    own = {"tower": "keras", "backbone": str(tower), "input_range": None} if model.backbone else {}
    return model.model_copy(update={"weights": None, **own})


def pretrained_digests(model: ModelConfig) -> dict[str, str | None]:
    """Return the SHA-256 of the files of pretrained weights, by key; None for a preset's name."""
    weights = {"model.weights": model.weights, "model.backbone": model.backbone}
    files = {key: Path(file) for key, file in weights.items() if file}
    if model.tower == "keras_hub" and model.backbone:
        files["model.backbone"] = Path(model.backbone, "model.weights.h5")
    return {key: sha256(file) for key, file in files.items()}


def _is_whole(file: Path) -> bool:
    try:
        with zipfile.ZipFile(file) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile):
        return False
