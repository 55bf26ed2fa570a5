"""Images of a run, and what can be refused before any of them is decoded."""

from typing import NamedTuple

import numpy as np

from triplet_train.config import Config
from triplet_train.data.classes import evaluated_images, training_images
from triplet_train.data.columns import ROLE, distractors
from triplet_train.data.images import ImageTable
from triplet_train.data.source import Source
from triplet_train.errors import RequestError
from triplet_train.evaluation import examples_of, make_protocol
from triplet_train.run.folder import embedding_name

_LONGEST = 200  # bytes of a file name; file systems allow 255, and unfinished files have suffixes


class RunImages(NamedTuple):
    """Tables of the images of a run.

    Attributes:
        training: the training images.
        evaluated: held-out images that are evaluated during training.
        exported: a table per split that is exported and evaluated at the end.
    """

    training: ImageTable
    evaluated: ImageTable
    exported: list[ImageTable]

    def digests(self) -> dict[str, str]:
        """Return digests of the images and labels that determine the result, by key."""
        return {
            "data.train_split": self.training.fingerprint(),
            "data.eval_split": self.evaluated.fingerprint(),
        }


def run_images(config: Config, source: Source) -> RunImages:
    """Return the images of a run. No image is decoded.

    Raises:
        RequestError: a split or class does not exist, images have no label, an export cannot be
            named, or the held-out images allow no evaluation.
    """
    data, seed = config.data, config.seed
    for split in config.used_splits:
        source.count(split)
    _require_names(config.export_splits)
    first, second = (source.table(s) for s in (data.train_split, data.eval_split))
    for table in (first, second):
        if ((table.labels < 0) & ~distractors(table.labels, table.columns)).any():
            raise RequestError(
                f"data.label_key: {source.name} {table.split} has images without a label, and "
                "training compares labels"
            )
    evaluated = evaluated_images(second, data, seed)
    obstacle = make_protocol(*examples_of([evaluated])).obstacle
    if obstacle:
        advice = (
            "name the splits of queries and gallery, as in data.eval_split: query+gallery"
            if ROLE in evaluated.columns
            else "to hold out whole classes instead of images, give data.train_classes: 80% or a "
            "list of classes, and one split for both data.train_split and data.eval_split"
        )
        raise RequestError(
            f"data.eval_split: {data.eval_split}: {obstacle}, so there is nothing to evaluate; "
            f"{advice}"
        )
    if len(np.unique(evaluated.labels)) == 1:  # of distractors too
        raise RequestError(
            f"data.{'eval_classes' if evaluated.classes else 'eval_split'}: all evaluated images "
            f"of {data.eval_split} have the same class, so none could be confused with another"
        )
    exported = [evaluated_images(source.table(split), data, seed) for split in config.export_splits]
    return RunImages(training_images(first, data, seed), evaluated, exported)


def require_colours(config: Config, source: Source) -> None:
    """Raise RequestError if colours are to be changed of images that are not red, green, blue."""
    keys, channels = " and ".join(config.augment.colour_keys), source.image_shape[-1]
    if keys and channels != 3:
        kind = "are grey" if channels == 1 else f"have {channels} channels, not red, green and blue"
        raise RequestError(
            f"augment: {keys} would change colours, and the images of {source.name} {kind}; "
            f"remove {keys}"
        )


def _require_names(splits: list[str]) -> None:
    split_of: dict[str, str] = {}
    for split in splits:
        other = split_of.setdefault(embedding_name(split, "npz"), split)
        if other != split:
            raise RequestError(
                f"embeddings.splits: {other!r} and {split!r} would have the same file name; export "
                "one of them at a time"
            )
    longest = max(split_of, key=lambda name: len(name.encode()))
    if len(longest.encode()) > _LONGEST:
        raise RequestError(
            f"embeddings.splits: the file name {longest} would be too long; export fewer parts at "
            "once"
        )
