"""The content of an embedding file: vectors with labels, names, ids and their origin."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from triplet_train import __version__
from triplet_train.config import Config
from triplet_train.data.columns import Columns, joined
from triplet_train.data.images import ImageBatch, ImageTable
from triplet_train.files import sha256

METADATA_KEY = "triplet_train"


@dataclass(frozen=True, repr=False)
class EmbeddingTable:
    """Embeddings, one a row, in the order of the split.

    Attributes:
        embeddings: float32 [N, D].
        labels: int64 [N]; -1 for an image without a label.
        label_names: N strings; empty for an image without a label.
        ids: N strings, unique.
        metadata: the origin of images and vectors; plain JSON.
        images: uint8 [N, H, W, C], which some formats draw; or None.
        columns: of the images; see `ImageTable`.
    """

    embeddings: np.ndarray
    labels: np.ndarray
    label_names: list[str]
    ids: list[str]
    metadata: dict[str, Any]
    images: np.ndarray | None = None
    columns: Columns = field(default_factory=dict)

    def __repr__(self) -> str:
        count, width = self.embeddings.shape
        return f"<EmbeddingTable: {count:,} vectors of {width} dimensions>"


Append = Callable[[EmbeddingTable], None]


def make_table(vectors: np.ndarray, batch: ImageBatch, metadata: dict[str, Any]) -> EmbeddingTable:
    """Return the table of a batch and its vectors, float32 [N, D]."""
    names = [batch.class_names[label] for label in batch.labels.tolist()]
    return EmbeddingTable(
        vectors, batch.labels, names, batch.ids, metadata, batch.images, batch.columns
    )


def concatenated(tables: Sequence[EmbeddingTable]) -> EmbeddingTable:
    """Join tables. The result has the metadata of the first, and no images."""
    return EmbeddingTable(
        np.concatenate([table.embeddings for table in tables]),
        np.concatenate([table.labels for table in tables]),
        [name for table in tables for name in table.label_names],
        [id_ for table in tables for id_ in table.ids],
        tables[0].metadata,
        columns=joined([table.columns for table in tables]),
    )


def provenance(checkpoint: Path, images: ImageTable, config: Config | None) -> dict[str, Any]:
    """Return the metadata of an embedding file. It depends on nothing but the arguments.

    Args:
        checkpoint: the `.keras` file, by the path that the user gave.
        config: the configuration of the run; None if the checkpoint belongs to none.
    """
    return {
        "triplet_train": __version__,
        "dataset": images.name,
        "split": images.split or None,
        "classes": images.classes,
        "checkpoint": str(checkpoint),
        "checkpoint_sha256": sha256(checkpoint),
        "config": config.model_dump(mode="json") if config else None,
    }
