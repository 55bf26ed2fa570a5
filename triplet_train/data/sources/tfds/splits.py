"""The splits of a TFDS data set, as uint8 images."""

import functools
import io
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

from triplet_train.config import DataConfig
from triplet_train.console import Console
from triplet_train.data.columns import Columns, evaluation_columns
from triplet_train.data.conversion import UNREADABLE, stored
from triplet_train.data.image_files import numbered
from triplet_train.data.images import ImageTable, Stored
from triplet_train.data.sources.tfds.builder import find
from triplet_train.data.sources.tfds.decoding import make_decode
from triplet_train.data.sources.tfds.features import Label, choose_features
from triplet_train.data.sources.tfds.label_index import FileIndex, file_index
from triplet_train.data.sources.tfds.records import IndexOf, Records, open_records, texts_of
from triplet_train.errors import RequestError, RunError
from triplet_train.files import first_line

# Errors of TensorFlow, of array_record, and of a message of TensorFlow that quotes the record.
_DAMAGE = (tf.errors.OpError, RuntimeError, UnicodeDecodeError)
_FORMATS = (tfds.core.FileFormat.TFRECORD, tfds.core.FileFormat.ARRAY_RECORD)


class TfdsSource:
    """A TFDS data set. See `source.Source`.

    Raises:
        RequestError: no such set, no way to get it, or not one of uint8 images.
    """

    def __init__(self, data: DataConfig, console: Console, *, write: bool) -> None:
        self.data, self._console, self._write = data, console, write
        self._builder = find(data.dataset, data.data_dir, console, write=write)
        format = self._builder.info.file_format
        if format not in _FORMATS:
            raise RequestError(
                f"data.dataset: {self.name} is prepared as {format.value} files; tfrecord and "
                "array_record are read. Prepare it in another folder with tfds build "
                "--file_format=array_record"
            )
        self._features = choose_features(self._builder.info, data)
        self.image_shape = self._features.image_shape
        self._indexes: dict[tuple[Path, str], FileIndex] = {}

    @functools.cached_property
    def classes(self) -> list[str]:
        """Names of the classes. Labels that are texts are read from all splits."""
        label = self._features.label
        if label is None or label.type is not tf.string:
            return label.names if label else []
        with self._damage_explained("labels"):
            return list(numbered(texts_of(self._builder, self._index_of(label), self._console)))

    @property
    def name(self) -> str:
        """Name, configuration and version, as TFDS writes them."""
        return self._builder.info.full_name

    @property
    def ready(self) -> bool:
        return bool(self._builder.info.splits)

    def count(self, split: str) -> int:
        splits = self._builder.info.splits
        try:
            count = splits[split].num_examples
        except (KeyError, ValueError, AssertionError) as error:
            known = ", ".join(f"{s.name} ({s.num_examples})" for s in splits.values())
            raise RequestError(
                f"{self.name} has no split {split!r}: {first_line(error)}; it has {known}"
            ) from None
        if count <= 0:
            raise RequestError(f"the split {split!r} of {self.name} is empty")
        return count

    def table(self, split: str) -> ImageTable:
        self.count(split)
        records = self._records(split)
        if len(set(records.ids)) < len(records.ids):
            raise RequestError(
                f"the split {split!r} of {self.name} contains some images more than once; its "
                "parts must not overlap"
            )
        labelled = self._features.label is not None
        notes = () if labelled else (f"the images of {self.name} have no label",)

        def failure(row: int, reason: str) -> str:
            return f"{self.name} {split} {records.ids[row]}: {reason}"

        def decoded(rows: np.ndarray) -> np.ndarray:
            with tf.device("CPU"):
                return self._decode(records.read(rows))

        def try_read(rows: np.ndarray) -> tuple[np.ndarray, dict[int, str]]:
            with suppress(*_DAMAGE, OSError):  # of one record; or it is momentary
                return decoded(rows), {}
            images, failures = np.zeros((len(rows), *self.image_shape), np.uint8), {}
            for place, row in enumerate(rows):
                try:
                    images[place] = decoded(rows[place : place + 1])[0]
                except (*_DAMAGE, OSError) as error:
                    failures[place] = failure(row, self._reason(error))
            return images, failures

        def size_of(row: int) -> Stored:
            try:
                (record,) = records.read(np.array([row]))
            except (*_DAMAGE, OSError) as error:
                raise RunError(failure(row, self._reason(error))) from error
            example = tf.train.Example.FromString(record)
            (encoded,) = example.features.feature[self.data.image_key].bytes_list.value
            try:
                with Image.open(io.BytesIO(encoded)) as image:
                    return stored(image)
            except UNREADABLE:
                raise RunError(failure(row, "not an image")) from None

        return ImageTable(
            self.name,
            split,
            self.image_shape,
            records.labels,
            records.ids,
            self._names(records.labels) | {-1: ""},
            try_read,
            size_of if self._features.resized else None,
            notes,
            columns=self._columns(split),
        )

    def _records(self, split: str) -> Records:
        numbers = {name: number for number, name in enumerate(self.classes)}
        index_of = self._index_of(self._features.label)
        with self._damage_explained(split):
            return open_records(self._builder, split, index_of, numbers, self._console)

    def _columns(self, split: str) -> Columns:
        """Return the groups of the images, if they are asked for."""
        group = self._features.group
        if group is None:
            return {}
        index_of, names = self._index_of(group), list(group.names)
        with self._damage_explained(split):
            if group.type is tf.string:
                names = sorted(texts_of(self._builder, index_of, self._console))
            numbers = {name: number for number, name in enumerate(names)}
            records = open_records(self._builder, split, index_of, numbers, self._console)
        values = records.labels.tolist()
        groups = [names[n] if n >= 0 else "" for n in values] if names else list(map(str, values))
        return evaluation_columns(groups, None, np.zeros(len(groups), bool))

    def _index_of(self, label: Label | None) -> IndexOf:
        def index(file: Path, progress: Callable[[int], object]) -> FileIndex:
            key = file, label.key if label else ""
            found = self._indexes.get(key)
            if found is None:
                found = file_index(file, label, write=self._write, progress=progress)
                self._indexes[key] = found
            else:
                progress(len(found.labels))
            return found

        return index

    def _names(self, labels: np.ndarray) -> dict[int, str]:
        """Return the name of each label, for a split with `labels`."""
        if self.classes:
            return dict(enumerate(self.classes))
        if isinstance(self.data.train_classes or self.data.eval_classes, str):
            # A share is drawn from the classes of all splits, so that it is the same in each.
            splits = self._builder.info.splits
            labels = np.concatenate([self._records(split).labels for split in splits])
        return {label: str(label) for label in np.unique(labels).tolist()}

    def in_two_classes(self, splits: Iterable[str]) -> list[str]:
        return []

    @contextmanager
    def _damage_explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except (*_DAMAGE, OSError) as error:
            raise RunError(f"cannot read {self.name} {what}: {self._reason(error)}") from error

    def _reason(self, error: BaseException) -> str:
        if isinstance(error, OSError):
            return str(error)
        return (
            f"{_cause(error)}. If the files in {self._builder.data_path} are damaged, remove that "
            "folder to prepare the data set again"
        )

    @functools.cached_property
    def _decode(self) -> Callable[[list[bytes]], np.ndarray]:
        return make_decode(self._features, self.data)


def _cause(error: BaseException) -> str:
    """Return the cause in a long error message of TensorFlow."""
    frame = re.compile(r"^{{\S+ \S+}} | \[Op:\w+\].*$")
    lines = [frame.sub("", line.strip()) for line in str(error).split("\n")]
    frames = ("Graph execution", "Detected at", "File ", "[[", "{{", "Original ", "(0)", "(1)")
    return next((line for line in lines if line and not line.startswith(frames)), lines[0])
