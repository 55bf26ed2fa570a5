"""The rows of a run, and what shows to be wrong before any image is read."""

from pathlib import Path

from triplet_train.config import Config
from triplet_train.data.classes import judged_rows, training_rows
from triplet_train.data.images import ImageTable
from triplet_train.data.sources import Source
from triplet_train.embeddings.formats import file_name
from triplet_train.errors import RequestError
from triplet_train.evaluation import has_pairs


def refuse_impossible(config: Config, source: Source) -> None:
    """What the set's description alone shows to be impossible, before any image is read."""
    for split in (config.data.train_split, config.data.eval_split, *config.export_splits):
        source.count(split)
    names = {file_name(split, "npz") for split in config.export_splits}
    if len(names) < len(config.export_splits):
        raise RequestError("embeddings.splits: two of the splits would have the same file name")


def run_tables(config: Config, source: Source, quiet: bool) -> tuple[ImageTable, ImageTable]:
    """What to train on, and what is judged during training; no image is decoded.

    Raises:
        RequestError: rows have no label, or no two of those to judge are of one class.
    """
    data = config.data
    images, held_out = (
        rows(source.table(split, quiet=quiet), data)
        for rows, split in ((training_rows, data.train_split), (judged_rows, data.eval_split))
    )
    for table in (images, held_out):
        if table.labels.min() < 0:
            raise RequestError(
                f"data.label_key: {source.name} {table.split} has rows without a label, so that "
                "nothing says which images are of one class"
            )
    if not has_pairs(held_out.labels):
        raise RequestError(
            f"data.eval_split: no two images of {data.eval_split} share a class, "
            "so there is nothing to judge"
        )
    return images, held_out


def require_weights(config: Config) -> None:
    """The file, before a data set is downloaded; whether it fits is known when the tower is."""
    weights = config.model.weights
    if weights and not Path(weights).is_file():
        raise RequestError(f"model.weights: no file {weights}")
