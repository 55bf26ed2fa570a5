"""A folder of any images, to embed them."""

from pathlib import Path

import numpy as np

from triplet_train.data.decoding import WHITE, Colour, make_decode, reader, sizes
from triplet_train.data.image_files import (
    SUFFIXES,
    class_of,
    find_images,
    notes_on_ignored_files,
    numbered,
)
from triplet_train.data.images import ImageTable, Shape
from triplet_train.errors import RequestError


def unsplit_folder(
    folder: Path,
    image_shape: Shape,
    policy: str,
    background: Colour = WHITE,
    *,
    strict: bool = False,
) -> ImageTable:
    """Return the table of the images in a folder and its subfolders, in the order of their paths.

    The class of an image is the path of its subfolder; an image in `folder` itself has no label.
    See `find_images` for the files that are taken, and `numbered` for the labels.

    Args:
        image_shape, policy, background: see `make_decode`.
        strict: raise at the first image that cannot be read, instead of listing it in `unreadable`.

    Raises:
        RequestError: no such folder, no images in it, or a wrong number of channels.
    """
    if not folder.is_dir():
        raise RequestError(f"--images {folder}: no such folder")
    decode = make_decode(image_shape, policy, background)
    found = find_images(folder)
    paths = found.images
    if not paths:
        raise RequestError(f"--images {folder}: no files that end in {', '.join(SUFFIXES)}")
    classes = [class_of(path) for path in paths]
    numbers = numbered(set(classes) - {""}) | {"": -1}
    return ImageTable(
        str(folder.absolute()),
        "",
        image_shape,
        np.array([numbers[name] for name in classes], np.int64),
        paths,
        {number: name for name, number in numbers.items()},
        reader(folder, paths, decode, image_shape),
        sizes(folder, paths),
        tuple(notes_on_ignored_files(found, folder)),
        unreadable=None if strict else [],
    )
