"""TensorBoard's projector: a folder that it opens as it is, with two TSV files."""

import json
from pathlib import Path

import numpy as np

from triplet_train.embeddings.formats import PROJECTOR_CONFIG
from triplet_train.embeddings.table import EmbeddingTable

_CONFIG = """\
embeddings {
  tensor_name: "embeddings"
  tensor_path: "vectors.tsv"
  metadata_path: "metadata.tsv"
}
"""


def write(table: EmbeddingTable, path: Path) -> None:
    """A folder with vectors.tsv, metadata.tsv (label_name, label, id) and the projector's settings.

    `tensorboard --logdir FOLDER` opens it; the standalone projector loads the two TSV files.
    """
    path.mkdir()
    # Nine digits give back every float32 exactly.
    np.savetxt(path / "vectors.tsv", table.embeddings, fmt="%.9g", delimiter="\t")
    with (path / "metadata.tsv").open("w", encoding="utf-8") as file:
        file.write("label_name\tlabel\tid\n")
        for name, label, id_ in zip(table.label_names, table.labels, table.ids, strict=True):
            file.write(f"{_field(name)}\t{label}\t{_field(id_)}\n")
    (path / PROJECTOR_CONFIG).write_text(_CONFIG)
    (path / "metadata.json").write_text(json.dumps(table.metadata, indent=1) + "\n")


def _field(text: str) -> str:
    """The projector knows no quotes or escapes: white space within a field becomes a space."""
    return " ".join(text.split())
