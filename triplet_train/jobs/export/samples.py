"""Images that an export is calibrated and checked with."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from triplet_train.console import Console
from triplet_train.data.conversion import UNREADABLE
from triplet_train.data.images import ImageTable
from triplet_train.data.unsplit_folder import root_of
from triplet_train.errors import RequestError, RunError
from triplet_train.jobs.export.request import ExportRequest
from triplet_train.jobs.open_tower import OpenTower
from triplet_train.jobs.split_request import SplitRequest
from triplet_train.registry import SOURCES

_FILES = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True)
class Samples:
    """Some images of a table.

    Attributes:
        pixels: uint8 [n, H, W, C].
        names: n ids.
        files: the content of n image files with these pixels. Where the table has no such file, it
            is a PNG file of the pixels.
    """

    pixels: np.ndarray
    names: list[str]
    files: list[bytes]


def exported_images(request: ExportRequest, opened: OpenTower, console: Console) -> ImageTable:
    """Return the images of --images, or else those of the first split that the run exports.

    Raises:
        RequestError: the tower belongs to no run, or see `OpenTower.split` and `unsplit_images`.
    """
    if request.images is not None:
        return opened.unsplit(request.images)
    if opened.config is None:
        raise RequestError(
            f"{opened.file} does not belong to a run; give --images, a folder or table of images "
            "to check the export with"
        )
    return opened.split(SplitRequest(), console)[1]


def take_samples(
    images: ImageTable, most: int, place: Path | None, opened: OpenTower, console: Console
) -> Samples:
    """Read images from all parts of a table. Those that cannot be read are left out.

    Args:
        most: number of images to read.
        place: the folder or table that the user named; None: the split of the run.

    Raises:
        RunError: none can be read.
    """
    rows = np.unique(np.linspace(0, len(images) - 1, most).astype(np.int64))
    pixels, failures = images.try_read(rows)
    if failures:
        console.warn(
            f"{len(failures):,} of {len(rows):,} images cannot be read and are left out; the "
            f"first is {next(iter(failures.values()))}"
        )
    if len(failures) == len(rows):
        raise RunError("none of the images can be read, so the export cannot be checked")
    read = [n for n in range(len(rows)) if n not in failures]
    names = [images.ids[rows[n]] for n in read]
    data = opened.config.data if opened.config else None
    if place is None and data and data.path and data.dataset in SOURCES:
        place = Path(data.path)
    root = root_of(place, data) if place else None
    files = [_file(root, name, pixels[n]) for n, name in zip(read, names, strict=True)]
    return Samples(pixels[read], names, files)


def _file(root: Path | None, name: str, pixels: np.ndarray) -> bytes:
    if root and name.lower().endswith(_FILES):
        try:
            return (root / name).read_bytes()
        except UNREADABLE:
            pass
    content = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(content, "png")
    return content.getvalue()
