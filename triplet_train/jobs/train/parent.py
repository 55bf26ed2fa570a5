"""The earlier tower from which a run starts (`model.init`), found without TensorFlow."""

from dataclasses import dataclass
from pathlib import Path

from triplet_train.config import Config, load_config
from triplet_train.errors import RequestError
from triplet_train.files import sha256
from triplet_train.run.embedder_file import embedder_file
from triplet_train.run.folder import run_of
from triplet_train.run.request import TrainRequest

_NETWORK = ("tower", "filters", "batch_norm")  # keys that have to be the same
_HEAD = ("embedding_dim", "pooling", "dropout")


@dataclass(frozen=True)
class Parent:
    """An earlier tower.

    Attributes:
        file: the `.keras` file.
        sha256: of the file.
        changed: what the run changes in the network after the backbone, a line for each key.
    """

    file: Path
    sha256: str
    changed: list[str]

    def __str__(self) -> str:
        return f"{self.file}, SHA-256 {self.sha256[:12]}"


def parent_of(config: Config) -> Parent | None:
    """Find the tower of `model.init`; None if the key is not given.

    Raises:
        RequestError: there is no such tower, or it belongs to a run with another network.
    """
    if not config.model.init:
        return None
    try:
        file = embedder_file(config.model.init)
    except RequestError as error:
        raise RequestError(f"model.init: {error}") from error
    changed: list[str] = []
    if run := run_of(file):
        theirs, ours = load_config(str(run.config)).model.model_dump(), config.model.model_dump()
        other = [f"model.{key}: {theirs[key]}" for key in _NETWORK if theirs[key] != ours[key]]
        if other:
            raise RequestError(
                f"model.init: {run} has another network, whose weights do not fit; set "
                f"{', '.join(other)}"
            )
        changed = [
            f"model.{key}: {theirs[key]} -> {ours[key]}"
            for key in _HEAD
            if theirs[key] != ours[key]
        ]
    return Parent(file, sha256(file) or "", changed)


def parent_needed(request: TrainRequest) -> Parent | None:
    """Return the tower from which the first step starts; None for a run that has a checkpoint.

    Raises RequestError as `parent_of` does.
    """
    begun = request.resume and request.run.saved_steps()
    return None if begun else parent_of(request.config)
