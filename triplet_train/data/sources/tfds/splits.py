"""The splits of a TFDS data set, as uint8 images."""

import functools
import io
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

from triplet_train.config import DataConfig
from triplet_train.console import Console
from triplet_train.data.decoding import UNREADABLE
from triplet_train.data.images import ImageTable, Shape
from triplet_train.data.resizing import make_fit
from triplet_train.data.sources.tfds.builder import find
from triplet_train.data.sources.tfds.records import open_records
from triplet_train.errors import RequestError, RunError
from triplet_train.files import first_line

_AT_ONCE = 4  # images decoded in a step of the loop over them
# TensorFlow's, array_record's, and that of a message of TensorFlow's which quotes the record.
_DAMAGE = (tf.errors.OpError, RuntimeError, UnicodeDecodeError)
_FORMATS = (tfds.core.FileFormat.TFRECORD, tfds.core.FileFormat.ARRAY_RECORD)


class TfdsSource:
    """A TFDS data set. Making one reads no image. See `sources.Source`.

    Raises:
        RequestError: no such set, no way to get it, or not one of uint8 images.
    """

    def __init__(self, data: DataConfig, console: Console, *, write: bool) -> None:
        self.data, self._console, self._write = data, console, write
        self._builder = find(data.dataset, data.data_dir, write=write)
        features = self._builder.info.features
        if not isinstance(features, tfds.features.FeaturesDict):
            raise RequestError(f"data.dataset: {data.dataset} has no features by name")
        format = self._builder.info.file_format
        if format not in _FORMATS:
            raise RequestError(
                f"data.dataset: {self.name} is prepared as {format.value} files; tfrecord and "
                "array_record are read. Prepare it in another folder with tfds build "
                "--file_format=array_record"
            )
        image = _feature(features, data.image_key, "image_key", data.dataset)
        if not isinstance(image, tfds.features.Image) or image.np_dtype != np.uint8:
            raise RequestError(
                f"data.image_key: {data.image_key!r} of {data.dataset} is not a uint8 image; "
                f"it has {_names(features)}"
            )
        # A label that was named has to be there; a set may have none by the usual name.
        self._label_key = data.label_key if data.label_key in features else None
        names: list[str] = []
        if self._label_key or data.label_key != "label":
            label = _feature(features, data.label_key, "label_key", data.dataset)
            if label.shape != () or not np.issubdtype(label.np_dtype, np.integer):
                raise RequestError(
                    f"data.label_key: {data.label_key!r} of {data.dataset} is not one integer per "
                    f"image; it has {_names(features)}"
                )
            names = label.names if isinstance(label, tfds.features.ClassLabel) else []
        self.classes = names
        height, width, channels = image.shape
        self._stored = (height, width)
        height, width = data.image_size or (height, width)
        if height is None or width is None:
            raise RequestError(
                f"data.image_size: the images of {data.dataset} vary in size; "
                "give the [H, W] to bring them to"
            )
        self._converted = data.channels not in (None, channels)
        channels = data.channels or channels
        if channels is None:
            raise RequestError(
                f"data.channels: the images of {data.dataset} vary in channels; "
                "give 1 for grey or 3 for colour"
            )
        self.image_shape: Shape = (height, width, channels)

    @property
    def name(self) -> str:
        """Name, configuration and version, as TFDS writes them."""
        return self._builder.info.full_name

    @property
    def ready(self) -> bool:
        return bool(self._builder.info.splits)

    def count(self, split: str) -> int:
        try:
            rows = self._builder.info.splits[split].num_examples
        except (KeyError, ValueError, AssertionError) as error:
            known = ", ".join(
                f"{s.name} ({s.num_examples})" for s in self._builder.info.splits.values()
            )
            raise RequestError(
                f"{self.name} has no split {split!r}: {first_line(error)}; it has {known}"
            ) from None
        if rows <= 0:
            raise RequestError(f"the split {split!r} of {self.name} is empty")
        return rows

    def table(self, split: str) -> ImageTable:
        self.count(split)
        with self._damage_explained(split):
            records = open_records(
                self._builder, split, self._label_key, self._console, write=self._write
            )
        if len(set(records.ids)) < len(records.ids):
            raise RequestError(f"{self.name} {split} holds the same rows more than once")
        notes = () if self._label_key else (f"the images of {self.name} have no label",)
        names = dict(enumerate(self.classes))
        names = names or {n: str(n) for n in np.unique(records.labels).tolist()}

        def decoded(rows: np.ndarray) -> np.ndarray:
            with tf.device("CPU"):
                return self._decode(tf.constant(records.read(rows), tf.string)).numpy()

        def try_read(rows: np.ndarray) -> tuple[np.ndarray, dict[int, str]]:
            with suppress(*_DAMAGE, OSError):  # of one record; or it is momentary
                return decoded(rows), {}
            images, failures = np.zeros((len(rows), *self.image_shape), np.uint8), {}
            for place, row in enumerate(rows):
                try:
                    with self._damage_explained(f"{split} {records.ids[row]}"):
                        images[place] = decoded(rows[place : place + 1])[0]
                except RunError as error:
                    failures[place] = str(error)
            return images, failures

        def size_of(row: int) -> tuple[int, int]:
            with self._damage_explained(f"{split} {records.ids[row]}"):
                (record,) = records.read(np.array([row]))
            example = tf.train.Example.FromString(record)
            (encoded,) = example.features.feature[self.data.image_key].bytes_list.value
            try:
                with Image.open(io.BytesIO(encoded)) as image:
                    return image.size[::-1]
            except UNREADABLE:
                raise RunError(f"{self.name} {split} {records.ids[row]} is no image") from None

        return ImageTable(
            self.name,
            split,
            self.image_shape,
            records.labels,
            records.ids,
            names | {-1: ""},
            try_read,
            None if self._stored == self.image_shape[:2] else size_of,
            notes,
        )

    def in_two_classes(self, splits: Iterable[str]) -> list[str]:
        return []

    @contextmanager
    def _damage_explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RunError(f"{self.name} {what} cannot be read: {error}") from error
        except _DAMAGE as error:
            raise RunError(
                f"{self.name} {what} cannot be read: {_cause(error)}. If its files in "
                f"{self._builder.data_path} are damaged, remove that folder to prepare it again"
            ) from error

    @functools.cached_property
    def _decode(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """A compiled function: serialised tf.train.Example [n] -> uint8 [n, H, W, C].

        A step of the loop decodes several images, as it costs as much as one of them.
        """
        feature = self._builder.info.features[self.data.image_key]
        spec = {self.data.image_key: tf.io.FixedLenFeature([], tf.string)}
        channels = self.image_shape[2]
        fit = make_fit(self.image_shape, self.data.resize_policy)

        def decode_one(encoded: tf.Tensor) -> tf.Tensor:
            if self._converted:
                return fit(tf.io.decode_image(encoded, channels, expand_animations=False))
            image = feature.decode_example(encoded)
            return image if self._stored == self.image_shape[:2] else fit(image)

        def decode_some(some: tf.Tensor) -> tf.Tensor:
            return tf.stack([decode_one(encoded) for encoded in tf.unstack(some)])

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
        def decode(records: tf.Tensor) -> tf.Tensor:
            encoded = tf.io.parse_example(records, spec)[self.data.image_key]
            rows = tf.shape(encoded)[0]
            padded = tf.concat([encoded, tf.repeat(encoded[:1], -rows % _AT_ONCE)], 0)
            images = tf.map_fn(
                decode_some,
                tf.reshape(padded, [-1, _AT_ONCE]),
                fn_output_signature=tf.TensorSpec((_AT_ONCE, *self.image_shape), tf.uint8),
                parallel_iterations=os.cpu_count(),
            )
            return tf.reshape(images, [-1, *self.image_shape])[:rows]

        return decode


def source(data: DataConfig, console: Console, *, write: bool) -> TfdsSource:
    """`data.dataset`: any name of TFDS."""
    return TfdsSource(data, console, write=write)


def _cause(error: BaseException) -> str:
    """What is wrong, out of the page that TensorFlow makes of it."""
    frame = re.compile(r"^{{\S+ \S+}} | \[Op:\w+\].*$")
    lines = [frame.sub("", line.strip()) for line in str(error).split("\n")]
    frames = ("Graph execution", "Detected at", "File ", "[[", "{{", "Original ", "(0)", "(1)")
    return next((line for line in lines if line and not line.startswith(frames)), lines[0])


def _feature(
    features: tfds.features.FeaturesDict, key: str, option: str, dataset: str
) -> tfds.features.FeatureConnector:
    if key not in features:
        raise RequestError(
            f"data.{option}: {dataset} has no feature {key!r}; it has {_names(features)}"
        )
    return features[key]


def _names(features: tfds.features.FeaturesDict) -> str:
    return ", ".join(features)
