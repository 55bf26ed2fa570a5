"""Where images come from: the splits of a TFDS data set, as uint8."""

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import psutil
import tensorflow as tf
import tensorflow_datasets as tfds

from triplet_train.config import DataConfig
from triplet_train.data.images import ImageSet, ImageStream, Shape, resized
from triplet_train.data.preparing import find
from triplet_train.errors import RequestError, RunError
from triplet_train.files import first_line
from triplet_train.progress import progress_bar

_READ = 256  # rows read at a time
_AT_ONCE = 16  # images decoded in a step of the loop over them


class Source:
    """A TFDS data set. Making one reads no image.

    Args:
        data: the `data` section of a configuration.
        write: prepare (download) the set in its folder where it is not there yet. If False
            nothing is written: a set that would have to be downloaded is then not `ready`.

    Raises:
        RequestError: no such set, no way to get it, or not one of images with integer labels.
    """

    def __init__(self, data: DataConfig, *, write: bool = True) -> None:
        self.data = data
        self._builder = find(data.dataset, data.data_dir, write=write)
        features = self._builder.info.features
        format = self._builder.info.file_format
        if format is not tfds.core.FileFormat.TFRECORD:
            raise RequestError(
                f"data.dataset: {self.name} is prepared as {format.value} files, and only tfrecord "
                f"is read; prepare it in another folder with tfds build --file_format=tfrecord"
            )
        image = self._feature(data.image_key, "image_key")
        if not isinstance(image, tfds.features.Image) or image.np_dtype != np.uint8:
            raise RequestError(
                f"data.image_key: {data.image_key!r} of {data.dataset} is not a uint8 image; "
                f"it has {_names(features)}"
            )
        label = self._feature(data.label_key, "label_key")
        if label.shape != () or not np.issubdtype(label.np_dtype, np.integer):
            raise RequestError(
                f"data.label_key: {data.label_key!r} of {data.dataset} is not one integer per "
                f"image; it has {_names(features)}"
            )
        height, width, channels = image.shape
        self._resize = data.image_size is not None and data.image_size != (height, width)
        height, width = data.image_size or (height, width)
        if height is None or width is None:
            raise RequestError(
                f"data.image_size: the images of {data.dataset} vary in size; "
                "give the [H, W] to resize them to"
            )
        if channels is None:
            raise RequestError(f"data.dataset: the images of {data.dataset} vary in channels")
        self.image_shape: Shape = (height, width, channels)
        named = isinstance(label, tfds.features.ClassLabel)
        self._class_names = dict(enumerate(label.names)) if named else None

    @property
    def name(self) -> str:
        """Name, configuration and version, as TFDS writes them."""
        return self._builder.info.full_name

    @property
    def ready(self) -> bool:
        """Whether the set is on disk, so that its splits are known."""
        return bool(self._builder.info.splits)

    def count(self, split: str) -> int:
        """Rows in `split`. Raises RequestError where the set has no such split."""
        try:
            rows = self._builder.info.splits[split].num_examples
        except (KeyError, ValueError, AssertionError) as error:
            known = ", ".join(f"{s.name} ({s.num_examples})" for s in self._splits())
            raise RequestError(
                f"{self.name} has no split {split!r}: {first_line(error)}; it has {known}"
            ) from None
        if rows <= 0:
            raise RequestError(f"the split {split!r} of {self.name} is empty")
        return rows

    def classes(self) -> int | None:
        """Number of classes that the set declares, if it does."""
        return len(self._class_names) if self._class_names else None

    def load(self, split: str, *, quiet: bool = False) -> ImageSet:
        """Decode `split` into memory: N x H x W x C bytes.

        Raises:
            RequestError: no such split, not enough memory, a row twice or without a label.
            RunError: the files cannot be read.
        """
        rows = self.count(split)
        size = rows * int(np.prod(self.image_shape))
        free = psutil.virtual_memory().available
        if 2 * size > free:  # TensorFlow takes a copy
            raise RequestError(
                f"{self.name} {split}: {size / 2**30:.1f} GiB of images, held twice, do not fit "
                f"in {free / 2**30:.1f} GiB of free memory; slice the split, as in train[:10%], "
                "or set a smaller data.image_size"
            )
        images = np.empty((rows, *self.image_shape), np.uint8)
        labels = np.empty(rows, np.int64)
        ids: list[str] = []
        names: dict[int, str] = {}
        with progress_bar(rows, f"reading {split}", quiet) as progress:
            for batch in self.stream(split).batches(_READ):
                part = slice(len(ids), len(ids) + len(batch))
                images[part], labels[part] = batch.images, batch.labels
                ids += batch.ids
                names |= batch.class_names
                progress.update(len(batch))
        if len(set(ids)) < rows:
            raise RequestError(f"{self.name} {split} holds the same rows more than once")
        if labels.min() < 0:
            raise RequestError(f"{self.name} {split} has rows without a label ({labels.min()})")
        return ImageSet(images, labels, ids, names)

    def stream(self, split: str, shard: tuple[int, int] = (1, 1)) -> ImageStream:
        """The rows of `split`, or of one of equal shards of it, read as they are asked for.

        Args:
            shard: (i, n), the ith of n; 1 <= i <= n. Shards in order are the split, row for row.

        Raises:
            RequestError: no such split.
            RunError: from the batches: the files cannot be read.
        """
        self.count(split)
        index, shards = shard
        part = tfds.even_splits(split, shards, drop_remainder=False)[index - 1]
        rows = self._builder.info.splits[part].num_examples

        def batches(size: int) -> Iterator[ImageSet]:
            ids = self._ids(part)
            try:
                for batch in self._examples(part, size).as_numpy_iterator():
                    images, labels = batch["image"], batch["label"]
                    names = self._class_names or {n: str(n) for n in labels.tolist()}
                    yield ImageSet(images, labels, [next(ids) for _ in labels], names)
            except tf.errors.OpError as error:
                raise RunError(
                    f"{self.name} {split} cannot be read: {first_line(error)}. If its files in "
                    f"{self._builder.data_dir} are damaged, remove that folder to prepare it again"
                ) from error

        return ImageStream(self.name, split, rows, self.image_shape, batches)

    def _ids(self, split: Any) -> Iterator[str]:
        """TFDS's own row ids (file__position), at no cost per row; needs files read in order."""
        for file in self._builder.info.splits[split].file_instructions:
            name = os.path.basename(file.filename)
            for row in range(file.skip, file.skip + file.take):
                yield f"{name}__{row}"

    def _examples(self, split: Any, size: int) -> tf.data.Dataset:
        """Batches of {"image", "label"}, file by file, since `_ids` relies on it.

        TFDS's own `as_dataset` parses row by row, which takes three times as long on MNIST.
        """
        image, label = self.data.image_key, self.data.label_key
        spec = {
            image: tf.io.FixedLenFeature([], tf.string),
            label: tf.io.FixedLenFeature([], tf.int64),
        }

        def parse(records: tf.Tensor) -> dict[str, tf.Tensor]:
            rows = tf.io.parse_example(records, spec)
            return {"image": self._decode(rows[image]), "label": rows[label]}

        files = self._builder.info.splits[split].file_instructions
        places = (
            tf.constant([file.filename for file in files], tf.string),
            tf.constant([file.skip for file in files], tf.int64),
            tf.constant([file.take for file in files], tf.int64),
        )
        return (
            tf.data.Dataset.from_tensor_slices(places)
            .flat_map(lambda name, skip, take: tf.data.TFRecordDataset(name).skip(skip).take(take))
            .batch(size)
            .map(parse)
            # A tower on the CPU takes all cores: reading beside it slows both down.
            .prefetch(2 if tf.config.list_physical_devices("GPU") else 0)
        )

    def _decode(self, encoded: tf.Tensor) -> tf.Tensor:
        """Strings [N] -> uint8 [N, H, W, C].

        A step of the loop decodes several images, as it costs as much as one of them.
        """
        feature = self._builder.info.features[self.data.image_key]

        def decode_some(some: tf.Tensor) -> tf.Tensor:
            return tf.stack([self._fit(feature.decode_example(one)) for one in tf.unstack(some)])

        rows = tf.shape(encoded)[0]
        padded = tf.concat([encoded, tf.repeat(encoded[:1], -rows % _AT_ONCE)], 0)
        images = tf.map_fn(
            decode_some,
            tf.reshape(padded, [-1, _AT_ONCE]),
            fn_output_signature=tf.TensorSpec((_AT_ONCE, *self.image_shape), tf.uint8),
            parallel_iterations=os.cpu_count(),
        )
        return tf.reshape(images, [-1, *self.image_shape])[:rows]

    def _fit(self, image: tf.Tensor) -> tf.Tensor:
        return resized(image, *self.image_shape[:2]) if self._resize else image

    def _feature(self, key: str, option: str) -> tfds.features.FeatureConnector:
        features = self._builder.info.features
        if not isinstance(features, tfds.features.FeaturesDict) or key not in features:
            raise RequestError(
                f"data.{option}: {self.data.dataset} has no feature {key!r}; "
                f"it has {_names(features)}"
            )
        return features[key]

    def _splits(self) -> list[tfds.core.SplitInfo]:
        return list(self._builder.info.splits.values())


def _names(features: tfds.features.FeatureConnector) -> str:
    return ", ".join(features) if isinstance(features, tfds.features.FeaturesDict) else "none"
