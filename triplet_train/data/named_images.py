"""Images that the user names one by one."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from triplet_train.data.conversion import Colour
from triplet_train.data.decoding import make_decode, reader, sizes
from triplet_train.data.images import ImageTable, Shape


def named_images(
    paths: Sequence[Path], image_shape: Shape, policy: str, background: Colour
) -> ImageTable:
    """Return the images at some paths, without labels, in the given order.

    Their ids are the paths. Those that cannot be read are collected in `unreadable`.

    Args:
        image_shape, policy, background: see `make_decode`.

    Raises:
        RequestError: a wrong number of channels.
    """
    names = list(map(str, paths))
    decode = make_decode(image_shape, policy, background)
    return ImageTable(
        "images",
        "",
        image_shape,
        np.full(len(names), -1),
        names,
        {-1: ""},
        reader("", names, decode, image_shape),
        sizes("", names),
        unreadable=[],
    )
