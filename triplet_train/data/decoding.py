"""Image files of any size and kind, decoded to arrays of one shape."""

import os
import stat
from pathlib import Path

import numpy as np
from PIL import Image

from triplet_train.data.boxes import Box, Boxes
from triplet_train.data.conversion import UNREADABLE, WHITE, Colour, Decoder, make_convert, stored
from triplet_train.data.decoding_threads import in_threads
from triplet_train.data.image_files import printable_path
from triplet_train.data.images import Shape, SizeOf, Stored, TryRead
from triplet_train.errors import RunError
from triplet_train.files import first_line

Decode = Decoder[str | Path]


def reader(
    root: str | Path, paths: list[str], decode: Decode, shape: Shape, boxes: Boxes | None = None
) -> TryRead:
    """Return `ImageTable.try_read` for files, given by their paths in `root`.

    Args:
        decode: made by `make_decode` for `shape`.
        boxes: the part of each image that is read; None: the whole.
    """

    def read_one(row: int) -> np.ndarray | str:
        path = os.path.join(root, paths[row])
        try:
            paths[row].encode()  # ids are UTF-8 in every format
            return decode(path, boxes.of(row) if boxes else None)
        except UNREADABLE as error:
            return _why(path, error)

    def try_read(rows: np.ndarray) -> tuple[np.ndarray, dict[int, str]]:
        images, failures = np.zeros((len(rows), *shape), np.uint8), {}
        for place, answer in enumerate(in_threads(read_one, rows.tolist())):
            if isinstance(answer, str):
                failures[place] = answer
            else:
                images[place] = answer
        return images, failures

    return try_read


def sizes(root: str | Path, paths: list[str], boxes: Boxes | None = None) -> SizeOf:
    """Return `ImageTable.size_of` for files, given by their paths in `root`.

    Args:
        boxes: the part of each image that is read; None: the whole.
    """

    def size_of(row: int) -> Stored:
        path = os.path.join(root, paths[row])
        try:
            refuse_endless(path)
            with Image.open(path) as image:
                return stored(image, boxes.of(row) if boxes else None)
        except UNREADABLE as error:
            raise RunError(_why(path, error)) from error

    return size_of


def _why(path: str, error: BaseException) -> str:
    return f"{printable_path(path)}: {first_line(error)}"


def refuse_endless(path: str | Path) -> None:
    """Raise OSError if opening could block, as for a pipe, or reading never end."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError("not a regular file")


def make_decode(shape: Shape, policy: str, background: Colour = WHITE) -> Decode:
    """Return a function: path, and perhaps a box -> uint8 [H, W, C].

    It raises one of `UNREADABLE`.

    Args:
        shape, policy, background: see `make_convert`.

    Raises:
        RequestError: another number of channels.
    """
    convert = make_convert(shape, policy, background)

    def read(path: str | Path, box: Box | None) -> np.ndarray:
        refuse_endless(path)
        with open(path, "rb", buffering=0) as file:
            return convert(file.read(), box)

    def decode(path: str | Path, box: Box | None = None, /) -> np.ndarray:
        try:
            return read(path, box)
        except OSError:  # may be momentary: a network disk, too many open files
            return read(path, box)

    return decode
