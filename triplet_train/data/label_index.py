"""The labels of a prepared file and where its records lie, found once and kept beside it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from array_record.python.array_record_data_source import ArrayRecordDataSource

from triplet_train.files import replacing

FOLDER = "triplet_train_index"
_READ = 1024  # records parsed at a time


class FileIndex(NamedTuple):
    """Of each record of a file, in its order.

    Attributes:
        labels: int64 [n]; -1 where the set has no label.
        lengths: int64 [n], bytes.
    """

    labels: np.ndarray
    lengths: np.ndarray


def file_index(
    file: Path, label_key: str | None, *, write: bool, progress: Callable[[int], object]
) -> FileIndex:
    """The index that is kept beside `file` if it was made of the file as it is now, or a new one.

    Making one reads the file once, checks the checksum of each record and decodes no image. It is
    kept in the folder `FOLDER` if `write` is set and the folder of `file` can be written.

    Args:
        label_key: the label among the set's features; None where it has none.
        progress: called with the number of further records.

    Raises:
        tf.errors.OpError, OSError: the file is damaged.
    """
    kept = file.parent / FOLDER / f"{file.name}.{(label_key or '').replace('/', '.')}.npz"
    status = file.stat()
    made_of = np.array([status.st_size, status.st_mtime_ns])
    try:
        with np.load(kept, allow_pickle=False) as arrays:
            if (arrays["made_of"] == made_of).all():
                index = FileIndex(arrays["labels"], arrays["lengths"])
                progress(len(index.labels))
                return index
    except (OSError, ValueError, KeyError, EOFError):  # none, or not one of ours
        pass
    index = _scan(file, label_key, progress)
    if write and os.access(file.parent, os.W_OK):
        kept.parent.mkdir(exist_ok=True)
        with replacing(kept) as beside:
            np.savez(beside, made_of=made_of, **index._asdict())
    return index


def _scan(file: Path, label_key: str | None, progress: Callable[[int], object]) -> FileIndex:
    def parse(records: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        lengths = tf.strings.length(records)
        if label_key is None:
            return tf.fill(tf.shape(records), tf.constant(-1, tf.int64)), lengths
        spec = {label_key: tf.io.FixedLenFeature([], tf.int64)}
        return tf.io.parse_example(records, spec)[label_key], lengths

    parts = []
    for part in _records(file).batch(_READ).map(parse).as_numpy_iterator():
        parts.append(part)
        progress(len(part[0]))
    labels, lengths = zip(*parts, strict=True) if parts else ([[]], [[]])
    return FileIndex(
        np.concatenate(labels).astype(np.int64), np.concatenate(lengths).astype(np.int64)
    )


def _records(file: Path) -> tf.data.Dataset:
    if ".tfrecord" in file.name:
        return tf.data.TFRecordDataset(str(file))

    def read() -> object:
        with ArrayRecordDataSource(str(file)) as source:
            for start in range(0, len(source), _READ):
                yield from source.__getitems__(range(start, min(start + _READ, len(source))))

    return tf.data.Dataset.from_generator(read, output_signature=tf.TensorSpec([], tf.string))
