"""A trained tower and its images, for the commands that embed."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from triplet_train.config import Config, load_config, make_data_config
from triplet_train.console import Console
from triplet_train.data.classes import evaluated_images
from triplet_train.data.columns import types_of
from triplet_train.data.conversion import WHITE, Colour
from triplet_train.data.images import ImageTable, Shape
from triplet_train.data.named_images import named_images
from triplet_train.data.source import Source, open_source
from triplet_train.data.unsplit_folder import unsplit_images
from triplet_train.embeddings.compute import at_once, embed_batches
from triplet_train.embeddings.files import writing_all
from triplet_train.embeddings.foreign_models import are_probabilities, remarks
from triplet_train.embeddings.table import (
    Append,
    EmbeddingTable,
    concatenated,
    make_table,
    provenance,
)
from triplet_train.errors import RequestError
from triplet_train.exports.exported import ExportedTower
from triplet_train.exports.files import read_export
from triplet_train.exports.output import exported_format
from triplet_train.jobs.split_request import SplitRequest
from triplet_train.models.embedder import load_embedder
from triplet_train.registry import SOURCES
from triplet_train.run.embedder_file import embedder_file
from triplet_train.run.folder import RunFolder, run_of


@dataclass(frozen=True)
class OpenTower:
    """A tower with its run.

    Attributes:
        file: the `.keras` file, or an exported tower.
        tower: the loaded network: a Keras model or an `ExportedTower`.
        run: the run of the file; None if it belongs to none, or is exported.
        config: the configuration of the run.
        any_model: accept a network that gives probabilities of classes.
        classes: of the run, in the order of their labels; None: unknown.
        exported: what an exported tower says about its checkpoint, for the files of its embeddings.
    """

    file: Path
    tower: keras.Model
    run: RunFolder | None
    config: Config | None
    any_model: bool = False
    classes: list[str] | None = None
    exported: dict[str, Any] = field(default_factory=dict)

    def split(self, request: SplitRequest, console: Console) -> tuple[Source, ImageTable]:
        """Open a data set and those images of a split that are evaluated.

        The default is the first split that the run exports, or test for another data set.

        Raises:
            RequestError: no data set is named, or it has no such split or classes, or another
                number of channels than the tower.
        """
        source, split = self._source(request, console), request.split
        if split is None:
            own = self.config and _same_set(source.data.dataset, self.config.data.dataset)
            split = self.config.export_splits[0] if self.config and own else "test"
        seed = self.config.seed if self.config else 0
        return source, evaluated_images(source.table(split), source.data, seed)

    def unsplit(self, place: Path, *, strict: bool = False) -> ImageTable:
        """Return the images of a folder or table, resized as in the run; see `unsplit_images`."""
        data = self.config.data if self.config else None
        return unsplit_images(place, *self._resizing(), strict=strict, data=data)

    def named(self, paths: Sequence[Path]) -> ImageTable:
        """Return the images at some paths, resized as in the run; see `named_images`."""
        return named_images(paths, *self._resizing())

    def _resizing(self) -> tuple[Shape, str, Colour]:
        """Return the shape of the images, the policy and the background."""
        data = self.config.data if self.config else None
        policy, background = (data.resize_policy, data.background) if data else ("pad", WHITE)
        return self.tower.input_shape[1:], policy, background

    def _source(self, request: SplitRequest, console: Console) -> Source:
        """Open the data set. It gives images in the shape that the tower takes."""
        given = request.data_set()
        if self.config is None and "dataset" not in given:
            raise RequestError(
                f"{self.file} does not belong to a run; name the data set with --dataset"
            )
        data = self.config.data.model_dump() if self.config else {}
        classes_of_run = self.classes
        if data and not _same_set(given.get("dataset"), data["dataset"]):
            classes_of_run = None
            data = {key: data[key] for key in ("data_dir", "resize_policy", "background")}
        if data.get("dataset") in SOURCES and "data_dir" in given:
            given["path"] = given.pop("data_dir")  # it was moved
        if request.classes is not None:
            given |= {"train_classes": None, "eval_classes": request.eval_classes()}
        height, width, channels = self.tower.input_shape[1:]
        # Images are converted to grey or colour only.
        shape = {
            "image_size": (height, width),
            "channels": channels if channels in (1, 3) else None,
        }
        source = open_source(
            make_data_config(**(data | given | shape)), console, classes=classes_of_run
        )
        if source.image_shape[2] != channels:
            raise RequestError(
                f"{self.file} takes images with {channels} channels, those of {source.name} have "
                f"{source.image_shape[2]}"
            )
        return source

    def writing(
        self, files: Mapping[Path, str], images: ImageTable, **about: Any
    ) -> AbstractContextManager[Append]:
        """Write embeddings of `images` to files; see `embeddings.files.writing_all`.

        Args:
            files: path -> format.
            about: further metadata.
        """
        metadata = self.metadata(images) | about
        return writing_all(files, self.tower.output_shape[-1], metadata, types_of(images.columns))

    def tables(
        self,
        images: ImageTable,
        console: Console,
        *,
        batch_size: int | None = None,
        flip: bool = False,
    ) -> Iterator[EmbeddingTable]:
        """Yield the embeddings of `images`, a batch at a time.

        Args:
            console: takes remarks about the tower, and shows the progress.
            batch_size: None is `at_once`.
            flip: average the vectors of each image and its mirror image.

        Raises:
            RequestError: the tower gives probabilities.
        """
        metadata = self.metadata(images)
        size = batch_size or at_once(self.config, images.image_shape)
        batches = embed_batches(
            self.tower, images, size, console, flip=flip, look=lambda v: self._look_at(v, console)
        )
        for batch, vectors in batches:
            yield make_table(vectors, batch, metadata)

    def table(self, images: ImageTable, console: Console, *, flip: bool = False) -> EmbeddingTable:
        """Return all embeddings of `images` in one table, without the images; see `tables`."""
        tables = self.tables(images, console, flip=flip)
        return concatenated([replace(table, images=None) for table in tables])

    def rows(self, images: ImageTable) -> EmbeddingTable:
        """Return the table of `images` without vectors, [N, 0], which nothing is computed for."""
        names = [images.class_names[label] for label in images.labels.tolist()]
        vectors = np.empty((len(images), 0), np.float32)
        return EmbeddingTable(vectors, images.labels, names, images.ids, self.metadata(images))

    def metadata(self, images: ImageTable) -> dict[str, Any]:
        """Return the metadata of a file of embeddings of `images`; see `provenance`."""
        return provenance(self.file, images, self.config) | self.exported

    def _look_at(self, vectors: np.ndarray, console: Console) -> None:
        """Warn about unusual vectors. Raises RequestError for probabilities."""
        if are_probabilities(vectors) and not self.any_model:
            raise RequestError(
                f"{self.file} is not an embedder: its vectors look like the probabilities of "
                f"{vectors.shape[1]:,} classes: they are positive and sum to 1. Save the network "
                "without its last layers, or give --any-model to accept it"
            )
        if isinstance(self.tower, ExportedTower):
            return  # triplet-export has compared it with the tower
        for remark in remarks(self.tower, vectors):
            console.warn(f"{self.file}: {remark}")


def _same_set(name: str | None, other: str) -> bool:
    """Return True if a name is None, or names the data set `other` in any version."""
    return name is None or name.split(":")[0] == other.split(":")[0]


def tower_file(checkpoint: Path) -> Path:
    """Find the `.keras` file of a checkpoint, see `embedder_file`, or an exported tower."""
    return checkpoint if exported_format(checkpoint) else embedder_file(checkpoint)


def open_tower(checkpoint: Path, *, any_model: bool = False) -> OpenTower:
    """Load the tower of a run folder, a checkpoint, a `.keras` file or an export.

    Raises:
        RequestError: no such checkpoint, or see `read_export`.
    """
    file = tower_file(checkpoint)
    format = exported_format(file)
    if format:
        return _open_export(file, format)
    run = run_of(file)
    config = load_config(str(run.config)) if run else None
    classes = run.classes() if run else None
    return OpenTower(file, load_embedder(file), run, config, any_model, classes)


def _open_export(file: Path, format: str) -> OpenTower:
    tower = read_export(file, format)
    about = tower.about
    config = about["config"] and Config.model_validate(about["config"])
    exported = {key: about[key] for key in ("checkpoint_sha256", "quantize")}
    return OpenTower(file, tower, None, config, classes=about["classes"], exported=exported)
