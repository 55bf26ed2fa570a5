"""Records of a split of a TFDS data set, in random access."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow_datasets as tfds

from triplet_train.console import Console
from triplet_train.data.sources.tfds.label_index import FileIndex
from triplet_train.files import naming

_BEFORE, _AFTER = 12, 4  # bytes of length and checksums around a record of a TFRecord file


IndexOf = Callable[[Path, Callable[[int], object]], FileIndex]


class Records(NamedTuple):
    """Records of a split, in the order of its files.

    Attributes:
        labels: int64 [N]; -1 for an image without a label.
        ids: N strings as in TFDS: file__position.
        read: reads rows, int64 [n], to n serialised tf.train.Example.
    """

    labels: np.ndarray
    ids: list[str]
    read: Callable[[np.ndarray], list[bytes]]


def open_records(
    builder: tfds.core.DatasetBuilder,
    split: Any,
    index_of: IndexOf,
    numbers: Mapping[str, int],
    console: Console,
) -> Records:
    """Open the records of TFRecord or ArrayRecord files.

    Args:
        split: a TFDS split, such as `train[:10%]` or a ReadInstruction.
        index_of: returns the index of a file; the second argument is called with the number of
            further records.
        numbers: the label of each class, if the labels are texts.

    Raises:
        tf.errors.OpError, RuntimeError, OSError: a file is damaged, or cannot be read.
    """
    pieces = builder.info.splits[split].file_instructions
    ids: list[str] = []
    none = np.empty(0, np.int64)  # a shard may be empty
    labels, files, starts, lengths = [none], [none], [none], [none]
    total = sum(piece.examples_in_shard for piece in pieces)
    with console.bar(total, "reading labels") as progress:
        for number, piece in enumerate(pieces):
            file = Path(piece.filename)
            index = index_of(file, progress.update)
            part = slice(piece.skip, piece.skip + piece.take)
            ends = np.cumsum(_BEFORE + index.lengths + _AFTER)
            labels.append(index.labels_by(numbers)[part])
            name = file.name
            ids += [f"{name}__{row}" for row in range(part.start, part.stop)]
            files.append(np.full(piece.take, number))
            starts.append((ends - _AFTER - index.lengths)[part])
            lengths.append(index.lengths[part])
    if builder.info.file_format is tfds.core.FileFormat.ARRAY_RECORD:
        raw = tfds.core.decode.DeserializeMethod.RAW_BYTES
        source = builder.as_data_source(split, deserialize_method=raw)
        return Records(np.concatenate(labels), ids, lambda rows: source.__getitems__(rows.tolist()))
    names = [piece.filename for piece in pieces]
    places = tuple(map(np.concatenate, (files, starts, lengths)))
    return Records(
        np.concatenate(labels),
        ids,
        lambda rows: _read_tfrecords(names, *(place[rows] for place in places)),
    )


def texts_of(builder: tfds.core.DatasetBuilder, index_of: IndexOf, console: Console) -> set[str]:
    """Return all labels of a data set that are texts.

    Args:
        index_of: see `open_records`.
    """
    splits = builder.info.splits.values()
    texts: set[str] = set()
    with console.bar(sum(split.num_examples for split in splits), "reading labels") as progress:
        for piece in (piece for split in splits for piece in split.file_instructions):
            texts.update(index_of(Path(piece.filename), progress.update).texts)
    return texts


def _read_tfrecords(
    names: list[str], files: np.ndarray, starts: np.ndarray, lengths: np.ndarray
) -> list[bytes]:
    """Read records by their positions, as the format has no index. One file is open at a time.

    Records that follow one another are read at once.
    """
    records = [b""] * len(files)
    ends = starts + lengths
    for file in np.unique(files).tolist():
        with naming(names[file]), open(names[file], "rb", buffering=0) as content:
            places = np.flatnonzero(files == file)
            apart = starts[places[1:]] - ends[places[:-1]] != _AFTER + _BEFORE
            for together in np.split(places, np.flatnonzero(apart) + 1):
                first, last = starts[together[0]], ends[together[-1]]
                part = os.pread(content.fileno(), last - first, first)
                for place in together.tolist():
                    records[place] = part[starts[place] - first : ends[place] - first]
    return records
