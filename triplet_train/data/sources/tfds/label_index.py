"""Labels and lengths of the records in a file, in an index beside the file."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from array_record.python.array_record_data_source import ArrayRecordDataSource

from triplet_train.files import replacing

FOLDER = "triplet_train_index"
_READ = 1024  # records parsed at a time


class FileIndex(NamedTuple):
    """Facts of the records of a file, in their order.

    Attributes:
        labels: int64 [n]; -1 if images have no label.
        lengths: int64 [n], bytes.
    """

    labels: np.ndarray
    lengths: np.ndarray


def file_index(
    file: Path, label_key: str | None, *, write: bool, progress: Callable[[int], object]
) -> FileIndex:
    """Read the index beside `file`, or make a new one if the file has changed.

    A new index takes one pass over the file. The pass verifies the checksum of each record and
    decodes no image. The index is saved in the folder `FOLDER` if `write` is set and the folder is
    writable. A folder marked read-only is not written, even by root.

    Args:
        label_key: the name of the label; None if images have no label.
        progress: called with the number of further records.

    Raises:
        tf.errors.OpError, RuntimeError, OSError: the file is damaged, or cannot be read.
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
    except Exception:  # no index or a damaged one, for which NumPy raises all kinds of errors
        pass
    index = _scan(file, label_key, progress)
    if write and file.parent.stat().st_mode & 0o222:
        with contextlib.suppress(OSError):  # it can be made again
            kept.parent.mkdir(exist_ok=True)
            with replacing(kept) as beside:
                np.savez(beside, made_of=made_of, **index._asdict())
    return index


def _scan(file: Path, label_key: str | None, progress: Callable[[int], object]) -> FileIndex:
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def parse(records: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        lengths = tf.cast(tf.strings.length(records), tf.int64)
        if label_key is None:
            return -tf.ones_like(lengths), lengths
        spec = {label_key: tf.io.FixedLenFeature([], tf.int64)}
        return tf.io.parse_example(records, spec)[label_key], lengths

    labels, lengths = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for records in _records(file):
        for some, of_batch in zip((labels, lengths), parse(records), strict=True):
            some.append(of_batch.numpy())
        progress(len(labels[-1]))
    return FileIndex(np.concatenate(labels), np.concatenate(lengths))


def _records(file: Path) -> Iterator[tf.Tensor]:
    """Yield batches of serialised tf.train.Example, string [n], of a file in either format."""
    if ".tfrecord" in file.name:
        yield from tf.data.TFRecordDataset(str(file)).batch(_READ)
        return
    with ArrayRecordDataSource(str(file)) as source:
        for start in range(0, len(source), _READ):
            rows = range(start, min(start + _READ, len(source)))
            yield tf.constant(source.__getitems__(rows))
