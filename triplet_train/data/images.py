"""Images with their labels: known row by row, and read as they are needed."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from triplet_train.errors import RunError

Shape = tuple[int, int, int]
SizeOf = Callable[[int], tuple[int, int]]


@dataclass(frozen=True)
class ImageSet:
    """Some rows of a split, with their pixels.

    Attributes:
        images: uint8 [N, H, W, C].
        labels: int64 [N]; -1 for an image without a label.
        ids: N strings, each naming its row for ever: file and position within it, or path.
        class_names: the name of each label that occurs in the data set.
    """

    images: np.ndarray
    labels: np.ndarray
    ids: list[str]
    class_names: dict[int, str]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class ImageStream:
    """Rows of one split, in the split's own order, of which a few are in memory at a time.

    Attributes:
        name: of the data set, with its version; or the path of the folder.
        split: as it was asked for; None for a folder.
        rows: how many there are, those that turn out to be unreadable among them.
        image_shape: height, width and channels of all of them.
        batches: the rows in order; at most so many in each `ImageSet` as the argument says.
        classes: those that were chosen, as people write them; None: all.
        unreadable: a line for each image that could not be read and is left out: path and reason.
            Grows while batches are taken.
        notes: what a user should know of them, a line each.
        whole: tells all the rows that these are a shard of, read or not, from others.
    """

    name: str
    split: str | None
    rows: int
    image_shape: Shape
    batches: Callable[[int], Iterator[ImageSet]]
    classes: str | None = None
    unreadable: list[str] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    whole: str = ""


@dataclass(frozen=True)
class ImageTable:
    """Rows of one split, in the split's own order: all that is known of them without their pixels.

    Attributes:
        name: of the data set, with its version; or the path of the folder.
        split: as it was asked for.
        image_shape: height, width and channels of all of them, as they are read.
        labels: int64 [N]; -1 for an image without a label.
        ids: N strings, each naming its row for ever: file and position within it, or path.
        class_names: the name of each label that occurs in the data set.
        read: row numbers, int64 [n] -> uint8 [n, H, W, C], whatever the rows and their order.
            Raises RunError where an image cannot be read.
        size_of: row number -> height and width that the image is stored with, without decoding it.
            Raises RunError where it is not an image. None: all are stored as they are read.
        notes: what a user should know of the split, a line each.
        classes: those that were chosen, as people write them; None: all.
        pixels: all images, uint8 [N, H, W, C], where they are held in memory.
        new_labels: of classes that the splits of the configuration do not have. A number or a range
            in data.eval_classes means none of them.
    """

    name: str
    split: str
    image_shape: Shape
    labels: np.ndarray
    ids: list[str]
    class_names: dict[int, str]
    read: Callable[[np.ndarray], np.ndarray]
    size_of: SizeOf | None
    notes: tuple[str, ...] = ()
    classes: str | None = None
    pixels: np.ndarray | None = None
    new_labels: frozenset[int] = frozenset()

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def bytes(self) -> int:
        """What the pixels of all rows take in memory."""
        return len(self) * int(np.prod(self.image_shape))

    def fingerprint(self) -> str:
        return fingerprint(self.ids, self.labels)

    def read_each(self, rows: np.ndarray) -> tuple[np.ndarray, list[str]]:
        """The images of `rows`, read one by one, and a line for each that fails and is black."""
        images = np.zeros((len(rows), *self.image_shape), np.uint8)
        failures = []
        for place, row in enumerate(rows):
            try:
                (images[place],) = self.read(np.array([row]))
            except RunError as error:
                failures.append(str(error))
        return images, failures

    def read_again(self, rows: np.ndarray) -> tuple[np.ndarray, list[str]]:
        """`read`, and where that fails `read_each`: a failure may be of one row, or of a moment."""
        try:
            return self.read(rows), []
        except RunError:
            return self.read_each(rows)

    def batches(self, size: int) -> Iterator[ImageSet]:
        """All rows in order, at most `size` at a time."""
        for start in range(0, len(self), size):
            rows = np.arange(start, min(start + size, len(self)))
            ids = self.ids[start : start + size]
            yield ImageSet(self.read(rows), self.labels[rows], ids, self.class_names)

    def stream(self) -> ImageStream:
        return ImageStream(
            self.name,
            self.split,
            len(self),
            self.image_shape,
            self.batches,
            self.classes,
            notes=self.notes,
        )


def fingerprint(ids: Sequence[str], labels: np.ndarray) -> str:
    """SHA-256 of the ids and labels: of no other rows, and of no pixels."""
    digest = hashlib.sha256("\n".join(ids).encode(errors="surrogateescape"))
    digest.update(labels.tobytes())
    return digest.hexdigest()


def shard_of(table: ImageTable, index: int, shards: int) -> ImageTable:
    """The `index`th of equal parts, from 1 on; in order they are the table, row for row."""
    total = len(table)
    return selected(table, np.arange(total * (index - 1) // shards, total * index // shards))


def size_through(table: ImageTable, row_of: Callable[[int], int]) -> SizeOf | None:
    """`size_of` of a table whose rows are those of `table` under other numbers."""
    size_of = table.size_of
    return size_of and (lambda row: size_of(row_of(row)))


def selected(table: ImageTable, rows: np.ndarray) -> ImageTable:
    """Some of its rows, int64 [n], in the order given."""
    return replace(
        table,
        labels=table.labels[rows],
        ids=[table.ids[row] for row in rows],
        read=lambda some: table.read(rows[some]),
        size_of=size_through(table, lambda row: rows[row]),
        pixels=None,
    )
