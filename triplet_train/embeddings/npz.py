"""npz: one array per column; nothing needs pickle."""

import json
from pathlib import Path

import numpy as np

from triplet_train.embeddings.table import EmbeddingTable


def write(table: EmbeddingTable, path: Path) -> None:
    """Arrays embeddings, labels, label_names, ids and metadata (JSON text)."""
    with path.open("wb") as file:  # given a name, NumPy would add .npz to it
        np.savez(
            file,
            embeddings=table.embeddings,
            labels=table.labels,
            label_names=np.array(table.label_names, np.str_),
            ids=np.array(table.ids, np.str_),
            metadata=np.array(json.dumps(table.metadata)),
        )


def read(path: Path) -> EmbeddingTable:
    """The inverse of `write`. Raises OSError, ValueError or KeyError for any other file."""
    with np.load(path, allow_pickle=False) as arrays:
        return EmbeddingTable(
            arrays["embeddings"],
            arrays["labels"],
            arrays["label_names"].tolist(),
            arrays["ids"].tolist(),
            json.loads(str(arrays["metadata"])),
        )
