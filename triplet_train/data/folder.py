"""A folder of image files, in whatever sizes and kinds, brought to what a tower takes."""

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, ImageOps

from triplet_train.data.images import ImageSet, ImageStream, Shape, resized
from triplet_train.errors import RequestError, RunError
from triplet_train.files import first_line

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_THREADS = os.cpu_count() or 1
# What Pillow raises of files that are damaged or too large to be meant.
_UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError)


def folder_stream(
    folder: Path, image_shape: Shape, *, shard: tuple[int, int] = (1, 1), strict: bool = False
) -> ImageStream:
    """The images of a folder and of the folders in it, by path.

    Files whose names end in one of `SUFFIXES` are images; those that begin with a dot are left out.
    An image's class is the folder it lies in, by its path; images in `folder` itself have no label.
    Labels number the classes in the order of their names.

    Args:
        image_shape: H, W and C (1, 3 or 4) to bring them to, as images are for training: sizes are
            changed without regard to the ratio of the sides, colours turned to grey by the weights
            of ITU-R 601. Of several frames the first is taken; a photograph is turned the way its
            camera was held.
        shard: (i, n), the ith of n equal parts; 1 <= i <= n.
        strict: raise at the first image that cannot be read, instead of listing it in `unreadable`.

    Raises:
        RequestError: no such folder, no images in it, or no images of so many channels.
        RunError: from the batches: `strict`, and an image cannot be read.
    """
    if not folder.is_dir():
        raise RequestError(f"--images {folder}: no such folder")
    if image_shape[2] not in _MODES:
        raise RequestError(
            f"the tower takes images of {image_shape[2]} channels, files have 1 to 4"
        )
    paths = image_paths(folder)
    if not paths:
        raise RequestError(f"--images {folder}: no files that end in {', '.join(SUFFIXES)}")
    names = sorted({class_of(path) for path in paths} - {""})
    numbers = {name: number for number, name in enumerate(names)} | {"": -1}
    class_names = {number: name for name, number in numbers.items()}
    index, shards = shard
    share = paths[len(paths) * (index - 1) // shards : len(paths) * index // shards]
    unreadable: list[str] = []

    def batches(size: int) -> Iterator[ImageSet]:
        for some, answers in _read_ahead(folder, share, image_shape, size):
            failed = [answer for answer in answers if isinstance(answer, str)]
            if failed and strict:
                raise RunError(failed[0])
            unreadable.extend(failed)
            good = [(p, a) for p, a in zip(some, answers, strict=True) if not isinstance(a, str)]
            images = np.array([image for _, image in good], np.uint8).reshape(-1, *image_shape)
            labels = np.array([numbers[class_of(path)] for path, _ in good], np.int64)
            yield ImageSet(images, labels, [path for path, _ in good], class_names)

    return ImageStream(str(folder.absolute()), None, len(share), image_shape, batches, unreadable)


def _read_ahead(
    folder: Path, paths: list[str], image_shape: Shape, size: int
) -> Iterator[tuple[list[str], list[np.ndarray | str]]]:
    """`size` paths at a time with their images, or why there is none; the next being read."""
    with ThreadPoolExecutor(_THREADS) as threads:
        ahead: list[tuple[list[str], list[Future[np.ndarray | str]]]] = []
        for start in range(0, len(paths) + size, size):
            some = paths[start : start + size]
            ahead.append((some, [threads.submit(_read, folder, p, image_shape) for p in some]))
            if len(ahead) == 2:
                now, futures = ahead.pop(0)
                yield now, [future.result() for future in futures]


def _read(folder: Path, path: str, image_shape: Shape) -> np.ndarray | str:
    try:
        path.encode()  # ids are UTF-8 in every format
        return decode(folder / path, image_shape)
    except _UNREADABLE as error:
        shown = os.fsencode(folder / path).decode(errors="backslashreplace")
        return f"{shown}: {first_line(error)}"


def image_paths(folder: Path) -> list[str]:
    """Paths of the images relative to `folder`, with slashes, sorted.

    Links to folders are followed, each folder once.
    """
    found, seen = [], set()
    for place, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                found.append((Path(place) / name).relative_to(folder).as_posix())
    return sorted(found)


def class_of(path: str) -> str:
    """The path of the folder that an image lies in; empty at the top."""
    parent = PurePosixPath(path).parent
    return "" if parent == PurePosixPath(".") else str(parent)


def decode(path: Path, image_shape: Shape) -> np.ndarray:
    """uint8 [H, W, C] of an image file. Raises one of several errors where it is not one."""
    height, width, channels = image_shape
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith("I"):  # 16 bits, which Pillow would cut off at 255
            upright = Image.fromarray((np.asarray(upright) // 257).astype(np.uint8))
        pixels = np.asarray(upright.convert(_MODES[channels])).reshape(
            *upright.size[::-1], channels
        )
    if pixels.shape == image_shape:
        return pixels
    return resized(pixels, height, width).numpy()
