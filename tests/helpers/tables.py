"""Tables of made images, and the images of a table."""

import numpy as np

from triplet_train.data.images import ImageTable


def table(images, labels, ids=None, class_names=None, split="made", name="made"):
    """A table of images in memory, uint8 [N, H, W, C]; the ids are the numbers of the images."""
    return ImageTable(
        name,
        split,
        images.shape[1:],
        labels,
        ids or [f"row {number}" for number in range(len(labels))],
        class_names or {label: str(label) for label in set(labels.tolist())},
        lambda rows: (images[rows], {}),
        None,
    )


def pixels(images):
    """All images of a table: uint8 [N, H, W, C]."""
    return images.read(np.arange(len(images)))
