"""A set of vectors with all that is needed to use it: what an embedding file holds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from triplet_train import __version__
from triplet_train.config import Config
from triplet_train.data.images import ImageSet, ImageStream
from triplet_train.files import sha256

METADATA_KEY = "triplet_train"


@dataclass(frozen=True)
class EmbeddingTable:
    """Rows in the split's own order.

    Attributes:
        embeddings: float32 [N, D].
        labels: int64 [N]; -1 where an image has none.
        label_names: N strings, empty where an image has no label.
        ids: N strings, unique.
        metadata: where the rows and vectors come from; plain JSON.
        images: uint8 [N, H, W, C] or None; in no file but as small pictures for the projector.
    """

    embeddings: np.ndarray
    labels: np.ndarray
    label_names: list[str]
    ids: list[str]
    metadata: dict[str, Any]
    images: np.ndarray | None = None


Append = Callable[[EmbeddingTable], None]


def make_table(
    vectors: np.ndarray, images: ImageSet, metadata: dict[str, Any], *, with_images: bool = False
) -> EmbeddingTable:
    """The vectors of `images`, row by row."""
    names = [images.class_names[label] for label in images.labels.tolist()]
    kept = images.images if with_images else None
    return EmbeddingTable(vectors, images.labels, names, images.ids, metadata, kept)


def concatenated(tables: Sequence[EmbeddingTable]) -> EmbeddingTable:
    """The rows of one or more tables, with the metadata of the first and without images."""
    return EmbeddingTable(
        np.concatenate([table.embeddings for table in tables]),
        np.concatenate([table.labels for table in tables]),
        [name for table in tables for name in table.label_names],
        [id_ for table in tables for id_ in table.ids],
        tables[0].metadata,
    )


def provenance(checkpoint: Path, images: ImageStream, config: Config | None) -> dict[str, Any]:
    """The metadata of an embedding file. The same arguments give the same, always.

    Args:
        checkpoint: the `.keras` file, by the path that it was given by.
        config: the run's configuration, where the checkpoint lies in a run.
    """
    return {
        "triplet_train": __version__,
        "dataset": images.name,
        "split": images.split,
        "classes": images.classes,
        "checkpoint": str(checkpoint),
        "checkpoint_sha256": sha256(checkpoint),
        "config": config.model_dump(mode="json") if config else None,
    }
