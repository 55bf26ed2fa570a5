"""The images of any folder, to be embedded: what cannot be read is listed."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from triplet_train.console import SILENT, Console
from triplet_train.data.image_files import (
    SUFFIXES,
    UNREADABLE,
    Decode,
    class_of,
    find_images,
    in_two_classes,
    make_decode,
    numbered,
    passed_over,
    why_unreadable,
)
from triplet_train.data.images import ImageSet, ImageStream, Shape, fingerprint
from triplet_train.errors import RequestError, RunError

_THREADS = os.cpu_count() or 1


def folder_stream(
    folder: Path,
    image_shape: Shape,
    policy: str,
    *,
    shard: tuple[int, int] = (1, 1),
    strict: bool = False,
    console: Console = SILENT,
) -> ImageStream:
    """The images of a folder and of the folders in it, by path.

    Files whose names end in one of `SUFFIXES` are images; those that begin with a dot are left out.
    An image's class is the folder it lies in, by its path; images in `folder` itself have no label.
    Labels number the classes; see `numbered`.

    Args:
        image_shape: H, W and C (1, 3 or 4) to bring them to; see `make_decode`.
        policy: see `fitting.make_fit`.
        shard: (i, n), the ith of n equal parts; 1 <= i <= n.
        strict: raise at the first image that cannot be read, instead of listing it in `unreadable`.
        console: shows the progress of comparing the files.

    Raises:
        RequestError: no such folder, no images in it, or no images of so many channels.
        RunError: from the batches: `strict`, and an image cannot be read.
    """
    if not folder.is_dir():
        raise RequestError(f"--images {folder}: no such folder")
    decode = make_decode(image_shape, policy)
    found = find_images(folder)
    paths = found.images
    if not paths:
        raise RequestError(f"--images {folder}: no files that end in {', '.join(SUFFIXES)}")
    numbers = numbered({class_of(path) for path in paths} - {""}) | {"": -1}
    class_names = {number: name for name, number in numbers.items()}
    index, shards = shard
    share = paths[len(paths) * (index - 1) // shards : len(paths) * index // shards]
    notes = passed_over(found, folder) if index == 1 else []
    if index == 1:
        classes = {path: class_of(path) for path in paths if class_of(path)}
        notes += in_two_classes(folder, classes, console)
    unreadable: list[str] = []

    def batches(size: int) -> Iterator[ImageSet]:
        with ThreadPoolExecutor(_THREADS) as threads:
            for start in range(0, len(share), size):
                some = share[start : start + size]
                answers = list(threads.map(lambda path: _read(folder, path, decode), some))
                failed = [answer for answer in answers if isinstance(answer, str)]
                if failed and strict:
                    raise RunError(failed[0])
                unreadable.extend(failed)
                good = [
                    (p, a) for p, a in zip(some, answers, strict=True) if not isinstance(a, str)
                ]
                images = np.array([image for _, image in good], np.uint8).reshape(-1, *image_shape)
                labels = np.array([numbers[class_of(path)] for path, _ in good], np.int64)
                yield ImageSet(images, labels, [path for path, _ in good], class_names)

    return ImageStream(
        str(folder.absolute()),
        None,
        len(share),
        image_shape,
        batches,
        unreadable=unreadable,
        notes=tuple(notes),
        whole=fingerprint(paths, np.array([numbers[class_of(path)] for path in paths], np.int64)),
    )


def _read(folder: Path, path: str, decode: Decode) -> np.ndarray | str:
    try:
        path.encode()  # ids are UTF-8 in every format
        return decode(folder / path)
    except UNREADABLE as error:
        return why_unreadable(folder / path, error)
