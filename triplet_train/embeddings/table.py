"""A set of vectors with all that is needed to use it: what an embedding file holds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from triplet_train import __version__
from triplet_train.config import Config
from triplet_train.data.sources import ImageSet
from triplet_train.files import sha256

METADATA_KEY = "triplet_train"


@dataclass(frozen=True)
class EmbeddingTable:
    """Rows in the split's own order.

    Attributes:
        embeddings: float32 [N, D].
        labels: int64 [N].
        label_names: N strings.
        ids: N strings, unique.
        metadata: where the rows and vectors come from; plain JSON.
    """

    embeddings: np.ndarray
    labels: np.ndarray
    label_names: list[str]
    ids: list[str]
    metadata: dict[str, Any]


def make_table(vectors: np.ndarray, images: ImageSet, metadata: dict[str, Any]) -> EmbeddingTable:
    """The vectors of `images`, row by row."""
    names = [images.class_names[label] for label in images.labels.tolist()]
    return EmbeddingTable(vectors, images.labels, names, images.ids, metadata)


def provenance(checkpoint: Path, dataset: str, split: str, config: Config | None) -> dict[str, Any]:
    """The metadata of an embedding file. The same checkpoint and split give the same, always.

    Args:
        checkpoint: the `.keras` file.
        dataset: the data set's full name, with version.
        split: as it was asked for.
        config: the run's configuration, where the checkpoint lies in a run.
    """
    return {
        "triplet_train": __version__,
        "dataset": dataset,
        "split": split,
        "checkpoint": str(checkpoint),
        "checkpoint_sha256": sha256(checkpoint),
        "config": config.model_dump(mode="json") if config else None,
    }
