"""The rows of a run, and what shows to be wrong before any image is read."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from triplet_train.config import Config
from triplet_train.data.classes import judged_rows, training_rows
from triplet_train.data.images import ImageTable
from triplet_train.data.source import Source
from triplet_train.errors import RequestError
from triplet_train.evaluation import has_pairs
from triplet_train.run.folder import embedding_name

_LONGEST = 200  # bytes of a file's name; a file system takes 255, and what is half written has more


class RunTables(NamedTuple):
    """Of the rows that a run has to do with, all but the pixels.

    Attributes:
        trained: what is trained on.
        judged: what is judged during training.
        exported: what is exported and judged at the end.
    """

    trained: ImageTable
    judged: ImageTable
    exported: list[ImageTable]

    def fingerprints(self) -> dict[str, str]:
        """What tells the rows that decide the result from others."""
        return {
            "data.train_split": self.trained.fingerprint(),
            "data.eval_split": self.judged.fingerprint(),
        }


def run_tables(config: Config, source: Source) -> RunTables:
    """The rows of the run that `config` describes. No image is decoded.

    Raises:
        RequestError: there are no such splits or classes; rows have no label; or there is nothing
            that could be judged, or mistaken.
    """
    data = config.data
    for split in config.used_splits:
        source.count(split)
    names = {embedding_name(split, "npz") for split in config.export_splits}
    if len(names) < len(config.export_splits):
        raise RequestError("embeddings.splits: two of the splits would have the same file name")
    longest = max(names, key=lambda name: len(name.encode()))
    if len(longest.encode()) > _LONGEST:
        raise RequestError(
            f"embeddings.splits: {longest} would be too long a name of a file; export fewer parts "
            "at once"
        )
    first, second = (source.table(s) for s in (data.train_split, data.eval_split))
    for table in (first, second):
        if table.labels.min() < 0:
            raise RequestError(
                f"data.label_key: {source.name} {table.split} has rows without a label, so that "
                "nothing says which images are of one class"
            )
    judged = judged_rows(second, data)
    if not has_pairs(judged.labels):
        raise RequestError(
            f"data.eval_split: no two images of {data.eval_split} share a class, so there is "
            "nothing to judge; to hold out whole classes instead of images, give "
            "data.train_classes or data.eval_classes"
        )
    if len(np.unique(judged.labels)) == 1:
        raise RequestError(
            f"data.{'eval_classes' if judged.classes else 'eval_split'}: all images of "
            f"{data.eval_split} that are judged are of one class, so that none could be mistaken "
            "for another"
        )
    exported = [judged_rows(source.table(s), data) for s in config.export_splits]
    return RunTables(training_rows(first, data), judged, exported)


def require_weights(config: Config) -> None:
    """The file, before a data set is downloaded; whether it fits is known when the tower is."""
    weights = config.model.weights
    if weights and not Path(weights).is_file():
        raise RequestError(f"model.weights: no file {weights}")
