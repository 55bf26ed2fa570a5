"""A trained tower and the images to give it: what triplet-embed and triplet-eval start from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from triplet_train.config import Config, DataConfig, load_config
from triplet_train.data.sources import ImageSet, Source
from triplet_train.embeddings.compute import make_embed
from triplet_train.embeddings.table import EmbeddingTable, make_table, provenance
from triplet_train.errors import RequestError
from triplet_train.jobs import run_folder
from triplet_train.models.embedder import embedder_file, load_embedder


@dataclass(frozen=True)
class TowerSource:
    """A tower with a data set whose images it takes."""

    file: Path
    tower: keras.Model
    config: Config | None
    source: Source

    def table(self, split: str, *, batch_size: int = 512, quiet: bool = False) -> EmbeddingTable:
        """The embeddings of a split. Raises RequestError where the set has no such split."""
        images: ImageSet = self.source.load(split, quiet=quiet)
        vectors = make_embed(self.tower, batch_size)(images.images, quiet)
        metadata: dict[str, Any] = provenance(self.file, self.source.name, split, self.config)
        return make_table(vectors, images, metadata)


def open_tower(checkpoint: Path, dataset: str | None, data_dir: str | None) -> TowerSource:
    """Load the tower, and the data set that is asked for or else the one it was trained on.

    Images are brought to the tower's height and width.

    Raises:
        RequestError: no such checkpoint or data set, no data set named, or channels that differ.
    """
    file = embedder_file(checkpoint)
    config = _config_of(file)
    if dataset is None and config is None:
        raise RequestError(f"{file} lies in no run, so name the data set with --dataset")
    tower = load_embedder(file)
    height, width, channels = tower.input_shape[1:]
    if config is not None and dataset in (None, config.data.dataset):
        data = config.data
    else:
        data = DataConfig(dataset=str(dataset))
    data = data.model_copy(
        update={"data_dir": data_dir or data.data_dir, "image_size": (height, width)}
    )
    source = Source(data)
    if source.image_shape[2] != channels:
        raise RequestError(
            f"{file} takes images with {channels} channels, "
            f"those of {source.name} have {source.image_shape[2]}"
        )
    return TowerSource(file, tower, config, source)


def _config_of(file: Path) -> Config | None:
    """The configuration of the run that `file` is the tower, or a checkpoint, of."""
    for folder in (file.parent, *file.resolve().parents[1:3]):
        if run_folder.is_run(folder):
            return load_config(str(folder / run_folder.CONFIG))
    return None
