"""Images with their labels, held in memory or read as they are needed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class ImageSet:
    """Rows of one split, in the split's own order.

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
        unreadable: a line for each image that could not be read and is left out: path and reason.
            Grows while batches are taken.
    """

    name: str
    split: str | None
    rows: int
    image_shape: Shape
    batches: Callable[[int], Iterator[ImageSet]]
    unreadable: list[str] = field(default_factory=list)


def resized(image: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """uint8 [h, w, C] -> [height, width, C], bilinear and smoothed where it shrinks."""
    scaled = tf.image.resize(image, (height, width), antialias=True)
    return tf.cast(tf.round(tf.clip_by_value(scaled, 0, 255)), tf.uint8)
