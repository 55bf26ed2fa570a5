"""Labels and lengths of the records in a file, in an index beside the file."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from array_record.python.array_record_data_source import ArrayRecordDataSource

from triplet_train.data.sources.tfds.features import Label
from triplet_train.files import replacing

FOLDER = "triplet_train_index"
_READ = 1024  # records parsed at a time


class FileIndex(NamedTuple):
    """Facts of the records of a file, in their order.

    Attributes:
        labels: int64 [n]; -1 if images have no label. Labels that are texts are places in `texts`,
            or -1 for an empty text.
        lengths: int64 [n], bytes.
        texts: all labels that are texts, sorted; empty if labels are integers.
    """

    labels: np.ndarray
    lengths: np.ndarray
    texts: list[str]

    def labels_by(self, numbers: Mapping[str, int]) -> np.ndarray:
        """Return the labels, int64 [n]; those that are texts by the given numbers."""
        if not self.texts:
            return self.labels
        return np.array([*map(numbers.__getitem__, self.texts), -1])[self.labels]


def file_index(
    file: Path, label: Label | None, *, write: bool, progress: Callable[[int], object]
) -> FileIndex:
    """Read the index beside `file`, or make a new one if the file has changed.

    A new index takes one pass over the file. The pass verifies the checksum of each record and
    decodes no image. The index is saved in the folder `FOLDER` if `write` is set and the folder is
    writable. A folder marked read-only is not written, even by root.

    Args:
        label: None if images have no label.
        progress: called with the number of further records.

    Raises:
        tf.errors.OpError, RuntimeError, OSError: the file is damaged, or cannot be read.
    """
    key = label.key.replace("/", ".") if label else ""
    kept = file.parent / FOLDER / f"{file.name}.{key}.npz"
    status = file.stat()
    made_of = np.array([status.st_size, status.st_mtime_ns])
    try:
        with np.load(kept, allow_pickle=False) as arrays:
            if (arrays["made_of"] == made_of).all():
                texts = json.loads(arrays["texts"].tobytes()) if "texts" in arrays else []
                index = FileIndex(arrays["labels"], arrays["lengths"], texts)
                progress(len(index.labels))
                return index
    except Exception:  # no index or a damaged one, for which NumPy raises all kinds of errors
        pass
    index = _scan(file, label, progress)
    if write and file.parent.stat().st_mode & 0o222:
        with contextlib.suppress(OSError):  # it can be made again
            kept.parent.mkdir(exist_ok=True)
            with replacing(kept) as beside:
                arrays = {"made_of": made_of, "labels": index.labels, "lengths": index.lengths}
                if index.texts:
                    arrays["texts"] = np.frombuffer(json.dumps(index.texts).encode(), np.uint8)
                np.savez(beside, **arrays)
    return index


def _scan(file: Path, label: Label | None, progress: Callable[[int], object]) -> FileIndex:
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def parse(records: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        lengths = tf.cast(tf.strings.length(records), tf.int64)
        if label is None:
            return -tf.ones_like(lengths), lengths
        spec = {label.key: tf.io.FixedLenFeature([], label.type)}
        return tf.io.parse_example(records, spec)[label.key], lengths

    is_text = label is not None and label.type is tf.string
    labels, lengths = [np.empty(0, object if is_text else np.int64)], [np.empty(0, np.int64)]
    for records in _records(file):
        for some, of_batch in zip((labels, lengths), parse(records), strict=True):
            some.append(of_batch.numpy())
        progress(len(labels[-1]))
    texts: list[str] = []
    every = np.concatenate(labels)
    if is_text:
        texts, every = _numbered([text.decode(errors="backslashreplace") for text in every])
    return FileIndex(every, np.concatenate(lengths), texts)


def _numbered(labels: list[str]) -> tuple[list[str], np.ndarray]:
    """Return the sorted texts that are not empty, and the place of each label among them or -1."""
    texts = sorted(set(labels) - {""})
    places = {text: place for place, text in enumerate(texts)} | {"": -1}
    return texts, np.array([places[label] for label in labels], np.int64)


def _records(file: Path) -> Iterator[tf.Tensor]:
    """Yield batches of serialised tf.train.Example, string [n], of a file in either format."""
    if ".tfrecord" in file.name:
        yield from tf.data.TFRecordDataset(str(file)).batch(_READ)
        return
    with ArrayRecordDataSource(str(file)) as source:
        for start in range(0, len(source), _READ):
            rows = range(start, min(start + _READ, len(source)))
            yield tf.constant(source.__getitems__(rows))
