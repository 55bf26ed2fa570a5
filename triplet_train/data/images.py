"""Tables of images: labels and ids are known, pixels are read on demand."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from triplet_train.data.columns import GROUP, ROLE, Columns, taken
from triplet_train.data.reading_ahead import read_ahead
from triplet_train.errors import RunError

Shape = tuple[int, int, int]
SizeOf = Callable[[int], "Stored"]
TryRead = Callable[[np.ndarray], tuple[np.ndarray, dict[int, str]]]


class Stored(NamedTuple):
    """An image as it is stored, by its header.

    Attributes:
        height, width: in pixels.
        kind: `deep` (grey levels of more than 8 bits), `transparent`, or empty.
    """

    height: int
    width: int
    kind: str = ""


@dataclass(frozen=True)
class ImageBatch:
    """Some images of a table, with their pixels.

    Attributes:
        images: uint8 [N, H, W, C].
        labels: int64 [N]; -1 for an image without a label.
        ids: N strings; see `ImageTable`.
        class_names: the name of each label of the table.
        columns: of these images; see `ImageTable`.
    """

    images: np.ndarray
    labels: np.ndarray
    ids: list[str]
    class_names: dict[int, str]
    columns: Columns = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class ImageTable:
    """Table of the images of a split or a folder, one per row. Pixels are read on demand.

    Attributes:
        name: the name of the data set, with its version; or the path of the folder.
        split: the split as the user wrote it; empty for a folder without splits.
        image_shape: height, width and channels of all images, as they are read.
        labels: int64 [N]; -1 for an image without a label.
        ids: N strings, a permanent name for each image: its path, or a file and the position in it.
        class_names: the name of each label of the data set.
        try_read: reads rows, int64 [n], in any order, to uint8 [n, H, W, C]. The second value maps
            a place in [0, n) to path and reason where an image cannot be read; that one is black.
        size_of: returns what is stored in a row, without decoding the image. Raises
            RunError if it is not an image. None: all are stored as they are read.
        notes: lines for the user about the table.
        classes: the chosen classes as the user wrote them; None: all.
        pixels: all images, uint8 [N, H, W, C], if they are held in memory.
        new_labels: labels of classes that the splits of the configuration do not have. A number or
            a range in data.eval_classes does not refer to them.
        unreadable: collects a line for each image that `batches` leaves out because it cannot be
            read. None: `batches` raises instead.
        columns: name -> N values: `group` and `role` where the images have them, see
            `triplet_train.data.columns`, and further columns of a table, in its types.
        path_of: returns the path of the file of a row. None: images are not in files of their own.
    """

    name: str
    split: str
    image_shape: Shape
    labels: np.ndarray
    ids: list[str]
    class_names: dict[int, str]
    try_read: TryRead
    size_of: SizeOf | None
    notes: tuple[str, ...] = ()
    classes: str | None = None
    pixels: np.ndarray | None = None
    new_labels: frozenset[int] = frozenset()
    unreadable: list[str] | None = None
    columns: Columns = field(default_factory=dict)
    path_of: Callable[[int], str] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def bytes(self) -> int:
        """Bytes of all images in memory."""
        return len(self) * int(np.prod(self.image_shape))

    def fingerprint(self) -> str:
        """SHA-256 of the ids, labels, groups and roles. It does not depend on the pixels."""
        digest = hashlib.sha256("\n".join(self.ids).encode(errors="surrogateescape"))
        digest.update(self.labels.tobytes())
        for name in (GROUP, ROLE):
            if name in self.columns:
                values = "\n".join(self.columns[name].to_pylist())
                digest.update(f"\n{name}\n{values}".encode())
        return digest.hexdigest()

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Read rows, int64 [n], in any order, to uint8 [n, H, W, C].

        Raises:
            RunError: an image cannot be read.
        """
        images, failures = self.try_read(rows)
        for failure in failures.values():
            raise RunError(f"cannot read the image {failure}")
        return images

    def batches(self, size: int) -> Iterator[ImageBatch]:
        """Yield all images in order, at most `size` at a time.

        A thread reads the next batch while the last one is used.

        Raises:
            RunError: an image cannot be read, and `unreadable` is None.
        """
        parts = (np.arange(at, min(at + size, len(self))) for at in range(0, len(self), size))
        return read_ahead(map(self._batch, parts))

    def _batch(self, rows: np.ndarray) -> ImageBatch:
        if self.unreadable is None:
            images = self.read(rows)
        else:
            images, failures = self.try_read(rows)
            if failures:
                self.unreadable.extend(failures.values())
                images, rows = (np.delete(some, list(failures), 0) for some in (images, rows))
        ids = [self.ids[row] for row in rows.tolist()]
        columns = taken(self.columns, rows)
        return ImageBatch(images, self.labels[rows], ids, self.class_names, columns)


def shard_of(table: ImageTable, index: int, shards: int) -> ImageTable:
    """Return the part `index` of 1..`shards`; the parts are of equal size and in order."""
    total = len(table)
    return selected(table, np.arange(total * (index - 1) // shards, total * index // shards))


def size_through(table: ImageTable, row_of: Callable[[int], int]) -> SizeOf | None:
    """Return `size_of` for a table whose row n shows the image in row `row_of(n)` of `table`."""
    size_of = table.size_of
    return size_of and (lambda row: size_of(row_of(row)))


def selected(table: ImageTable, rows: np.ndarray) -> ImageTable:
    """Return a table of some rows, int64 [n], in the given order."""
    path_of = table.path_of
    return replace(
        table,
        labels=table.labels[rows],
        ids=[table.ids[row] for row in rows],
        columns=taken(table.columns, rows),
        try_read=lambda some: table.try_read(rows[some]),
        size_of=size_through(table, lambda row: rows[row]),
        pixels=None,
        path_of=path_of and (lambda row: path_of(rows[row])),
    )
