"""A trained tower and the images to give it: what triplet-embed and triplet-eval start from."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from triplet_train.config import Config, load_config, make_data_config
from triplet_train.console import Console
from triplet_train.data.images import ImageTable
from triplet_train.data.source import Source, open_source
from triplet_train.embeddings.compute import at_once, embed_batches
from triplet_train.embeddings.first_vectors import are_probabilities, remarks
from triplet_train.embeddings.table import EmbeddingTable, concatenated, make_table, provenance
from triplet_train.errors import RequestError
from triplet_train.models.embedder import embedder_file, load_embedder
from triplet_train.registry import SOURCES
from triplet_train.run.folder import RunFolder, run_of


@dataclass(frozen=True)
class OpenTower:
    """A tower, with the configuration of the run that it lies in.

    Attributes:
        file: the `.keras` file.
        tower: loaded.
        run: that the file lies in, if any.
        config: the run's.
        any_model: whether probabilities of classes are taken for embeddings.
    """

    file: Path
    tower: keras.Model
    run: RunFolder | None
    config: Config | None
    any_model: bool = False

    def source(self, console: Console, **wanted: str | None) -> Source:
        """The data set that is asked for, or else the one the tower was trained on.

        Images are brought to the tower's height, width and channels.

        Args:
            wanted: dataset, data_dir, image_key, label_key or classes (`all`, or as in
                data.eval_classes, with commas); those that are None are as in the run.

        Raises:
            RequestError: no such data set, none named, or not of so many channels.
        """
        given: dict[str, Any] = {key: value for key, value in wanted.items() if value is not None}
        classes = given.pop("classes", None)
        if self.config is None and "dataset" not in given:
            raise RequestError(f"{self.file} lies in no run, so name the data set with --dataset")
        height, width, channels = self.tower.input_shape[1:]
        trained_on = self.config.data.model_dump() if self.config else {}
        classes_of_run = self.run.classes() if self.run else None
        if trained_on and not _same_set(given.get("dataset"), trained_on["dataset"]):
            classes_of_run = None
            kept = ("data_dir", "resize_policy")
            trained_on = {key: trained_on[key] for key in kept if key in trained_on}
        if trained_on.get("dataset") in SOURCES and "data_dir" in given:
            given["path"] = given.pop("data_dir")  # the folder was moved
        if classes is not None:
            chosen = None if classes == "all" else [name.strip() for name in classes.split(",")]
            given |= {"train_classes": None, "eval_classes": chosen}
        # What is neither grey nor colour is not made of one.
        shape = {
            "image_size": (height, width),
            "channels": channels if channels in (1, 3) else None,
        }
        source = open_source(
            make_data_config(**(trained_on | given | shape)), console, classes=classes_of_run
        )
        if source.image_shape[2] != channels:
            raise RequestError(
                f"{self.file} takes images with {channels} channels, those of {source.name} have "
                f"{source.image_shape[2]}"
            )
        return source

    def default_split(self, source: Source) -> str:
        """The first split that the run exports, if this is its data set; else test."""
        if self.config and _same_set(source.data.dataset, self.config.data.dataset):
            return self.config.export_splits[0]
        return "test"

    def metadata(self, images: ImageTable) -> dict[str, Any]:
        return provenance(self.file, images, self.config)

    def tables(
        self,
        images: ImageTable,
        console: Console,
        *,
        batch_size: int | None = None,
        with_images: bool = False,
    ) -> Iterator[EmbeddingTable]:
        """The embeddings of `images`, a batch at a time; see `at_once` for the size of one.

        Args:
            console: takes remarks on the tower, and shows the progress.

        Raises:
            RequestError: the tower gives probabilities.
        """
        metadata = self.metadata(images)
        size = batch_size or at_once(self.config, images.image_shape)
        first = True
        for batch, vectors in embed_batches(self.tower, images, size, console):
            if first and len(vectors):
                self._look_at(vectors, console)
                first = False
            yield make_table(vectors, batch, metadata, with_images=with_images)

    def table(self, images: ImageTable, console: Console) -> EmbeddingTable:
        """All of them, in memory."""
        return concatenated(list(self.tables(images, console)))

    def _look_at(self, vectors: np.ndarray, console: Console) -> None:
        """Say what is unusual about the first vectors. Raises RequestError for probabilities."""
        if are_probabilities(vectors) and not self.any_model:
            raise RequestError(
                f"{self.file} is no embedder: its vectors look like the probabilities of "
                f"{vectors.shape[1]:,} classes, being positive with a sum of 1. Save the network "
                "without its last layers, or give --any-model to take them all the same"
            )
        for remark in remarks(self.tower, vectors):
            console.warn(f"{self.file}: {remark}")


def _same_set(name: str | None, other: str) -> bool:
    """Whether a data set that is asked for is `other`, in whatever version."""
    return name is None or name.split(":")[0] == other.split(":")[0]


def open_tower(checkpoint: Path, *, any_model: bool = False) -> OpenTower:
    """Load the tower of a run folder, a checkpoint or a `.keras` file.

    Raises:
        RequestError: no such checkpoint.
    """
    file = embedder_file(checkpoint)
    run = run_of(file)
    config = load_config(str(run.config)) if run else None
    return OpenTower(file, load_embedder(file), run, config, any_model)
