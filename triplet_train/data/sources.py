"""Where images come from: a split of a TFDS data set, held in memory as uint8."""

import contextlib
import difflib
import io
import os
import socket
import sys
import tempfile
import urllib.parse
import urllib.request
from dataclasses import dataclass

import numpy as np
import psutil
import tensorflow as tf
import tensorflow_datasets as tfds
from absl import logging as absl_logging
from google.protobuf.json_format import ParseError

from triplet_train.config import DataConfig
from triplet_train.data.digits import Digits
from triplet_train.errors import RequestError, RunError
from triplet_train.files import first_line
from triplet_train.progress import progress_bar

absl_logging.set_verbosity(absl_logging.ERROR)  # TFDS warns there of all that it is about to do


@dataclass(frozen=True)
class ImageSet:
    """The rows of one split, in the split's own order.

    Attributes:
        images: uint8 [N, H, W, C].
        labels: int64 [N].
        ids: N strings, each naming its row for ever: file and position within it.
        class_names: the name of each label that occurs in the data set.
    """

    images: np.ndarray
    labels: np.ndarray
    ids: list[str]
    class_names: dict[int, str]

    def __len__(self) -> int:
        return len(self.labels)


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
        self._builder = _builder(data.dataset, data.data_dir)
        if not self._builder.is_prepared():
            _prepare(self._builder, write)
        features = self._builder.info.features
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
        self.image_shape: tuple[int, int, int] = (height, width, channels)
        self._label_names = (
            list(label.names) if isinstance(label, tfds.features.ClassLabel) else None
        )

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
        return len(self._label_names) if self._label_names else None

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
        stop = 0
        try:
            with progress_bar(rows, f"reading {split}", quiet) as progress:
                for batch in self._batches(split).as_numpy_iterator():
                    start, stop = stop, stop + len(batch["label"])
                    images[start:stop], labels[start:stop] = batch["image"], batch["label"]
                    progress.update(stop - start)
        except tf.errors.OpError as error:
            raise RunError(
                f"{self.name} {split} cannot be read: {first_line(error)}. If its files in "
                f"{self._builder.data_dir} are damaged, remove that folder to prepare it again"
            ) from error
        ids = self._ids(split)
        if len(set(ids)) < len(ids):
            raise RequestError(f"{self.name} {split} holds the same rows more than once")
        if labels.min() < 0:
            raise RequestError(f"{self.name} {split} has rows without a label ({labels.min()})")
        names = self._label_names or {int(label): str(label) for label in np.unique(labels)}
        class_names = dict(enumerate(names)) if isinstance(names, list) else names
        return ImageSet(images, labels, ids, class_names)

    def _ids(self, split: str) -> list[str]:
        """TFDS's own row ids (file__position), at no cost per row; needs files read in order."""
        files = self._builder.info.splits[split].file_instructions
        return [
            f"{os.path.basename(file.filename)}__{row}"
            for file in files
            for row in range(file.skip, file.skip + file.take)
        ]

    def _batches(self, split: str) -> tf.data.Dataset:
        data = self.data
        wanted = {key: self._builder.info.features[key] for key in (data.image_key, data.label_key)}

        def row(example: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            image = example[data.image_key]
            if self._resize:
                resized = tf.image.resize(image, self.image_shape[:2], antialias=True)
                image = tf.cast(tf.round(tf.clip_by_value(resized, 0, 255)), tf.uint8)
            label = tf.cast(example[data.label_key], tf.int64)
            return {"image": image, "label": label}

        rows = self._builder.as_dataset(
            split=split,
            decoders=tfds.decode.PartialDecoding(wanted),
            read_config=tfds.ReadConfig(interleave_cycle_length=1),  # one file after the other
        )
        return rows.map(row, num_parallel_calls=tf.data.AUTOTUNE).batch(256).prefetch(2)

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


def _builder(name: str, data_dir: str | None) -> tfds.core.DatasetBuilder:
    try:
        return tfds.builder(name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError:
        near = difflib.get_close_matches(name, tfds.list_builders(), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise RequestError(f"data.dataset: TFDS knows no data set {name!r}{hint}") from None
    except (ValueError, AssertionError, ImportError, ParseError) as error:
        # an unknown configuration or version, a missing extra, a damaged description
        raise RequestError(f"data.dataset: {name!r} cannot be used: {first_line(error)}") from None


def _prepare(builder: tfds.core.DatasetBuilder, write: bool) -> None:
    """Download and prepare the set; without `write`, only look at what needs no download."""
    embedded = isinstance(builder, Digits)
    if not write:
        if embedded:
            with tempfile.TemporaryDirectory() as folder:
                twin = Digits(data_dir=folder)
                _prepare(twin, write=True)
                builder.info.set_splits(twin.info.splits)
        return
    if embedded:
        tfds.disable_progress_bar()  # a moment's work
    else:
        _refuse_if_unreachable(builder)
    try:
        # TFDS announces itself on stdout, which belongs to the command's own answer.
        with contextlib.redirect_stdout(io.StringIO() if embedded else sys.stderr):
            builder.download_and_prepare()
    except (
        OSError,
        tf.errors.OpError,
        tfds.download.DownloadError,
        AssertionError,
        ImportError,
    ) as error:
        if builder.is_prepared():  # by another process, meanwhile
            return
        raise RequestError(_unavailable(builder, first_line(error))) from error


def _refuse_if_unreachable(builder: tfds.core.DatasetBuilder) -> None:
    """Ask for the hosts first: without a network TFDS retries for minutes and leaves fragments."""
    hosts = {urllib.parse.urlsplit(url).hostname for url in builder.url_infos or ()}
    if not hosts or urllib.request.getproxies():
        return
    for host in sorted(filter(None, hosts)):
        try:
            socket.getaddrinfo(host, None)
        except OSError:
            raise RequestError(_unavailable(builder, f"{host} cannot be reached")) from None


def _unavailable(builder: tfds.core.DatasetBuilder, reason: str) -> str:
    root = builder.data_path.parents[len(builder.info.full_name.split("/")) - 1]
    return (
        f"the data set {builder.info.full_name} is not in {root} and cannot be prepared there: "
        f"{reason}. Give the folder that holds it (--data-dir), prepare it on a machine with a "
        f"network (tfds build {builder.name}) and copy it"
    )


def _names(features: tfds.features.FeatureConnector) -> str:
    return ", ".join(features) if isinstance(features, tfds.features.FeaturesDict) else "none"
