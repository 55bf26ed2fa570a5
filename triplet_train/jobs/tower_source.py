"""A trained tower and the images to give it: what triplet-embed and triplet-eval start from."""

from dataclasses import dataclass
from pathlib import Path

import keras

from triplet_train.config import Config, DataConfig, load_config
from triplet_train.data.sources import Source
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

    @property
    def default_split(self) -> str:
        """The first split that the run exports, if this is its data set; else test."""
        if self.config and self.config.data.dataset == self.source.data.dataset:
            return self.config.export_splits[0]
        return "test"

    def table(self, split: str, *, batch_size: int = 512, quiet: bool = False) -> EmbeddingTable:
        """The embeddings of a split. Raises RequestError where the set has no such split."""
        images = self.source.load(split, quiet=quiet)
        vectors = make_embed(self.tower, batch_size)(images.images, quiet)
        metadata = provenance(self.file, self.source.name, split, self.config)
        return make_table(vectors, images, metadata)


def open_tower(checkpoint: Path, **wanted: str | None) -> TowerSource:
    """Load the tower, and the data set that is asked for or else the one it was trained on.

    Images are brought to the tower's height and width.

    Args:
        checkpoint: a run folder, a checkpoint or a `.keras` file.
        wanted: dataset, data_dir, image_key or label_key; those that are None are as in the run.

    Raises:
        RequestError: no such checkpoint or data set, no data set named, or channels that differ.
    """
    file = embedder_file(checkpoint)
    config = _config_of(file)
    given = {key: value for key, value in wanted.items() if value is not None}
    if config is None and "dataset" not in given:
        raise RequestError(f"{file} lies in no run, so name the data set with --dataset")
    tower = load_embedder(file)
    height, width, channels = tower.input_shape[1:]
    trained_on = config.data.model_dump() if config else {}
    if given.get("dataset", trained_on.get("dataset")) != trained_on.get("dataset"):
        trained_on = {"data_dir": trained_on.get("data_dir")}
    data = DataConfig(**(trained_on | given | {"image_size": (height, width)}))
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
