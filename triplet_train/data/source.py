"""Sources of images: a TFDS data set, or one of `registry.SOURCES`."""

from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Protocol

from triplet_train.config import DataConfig
from triplet_train.console import SILENT, Console
from triplet_train.data.images import ImageTable, Shape
from triplet_train.registry import SOURCES


class Source(Protocol):
    """A data set. The constructor reads no image.

    Attributes:
        data: the section of the configuration.
        name: name and version, or path.
        image_shape: height, width and channels of the images as they are read.
        ready: True if the data set is on disk, so that its splits are known.
        classes: names in the order of the labels; empty if classes have no names.
    """

    data: DataConfig
    image_shape: Shape

    @property
    def name(self) -> str: ...

    @property
    def ready(self) -> bool: ...

    @property
    def classes(self) -> Sequence[str]: ...

    def count(self, split: str) -> int:
        """Return the number of images in `split`. Raises RequestError if there are none."""
        ...

    def table(self, split: str) -> ImageTable:
        """Return the images of `split`.

        Raises:
            RequestError: no such split, or indistinguishable classes.
            RunError: a file is damaged.
        """
        ...

    def in_two_classes(self, splits: Iterable[str]) -> list[str]:
        """Return a warning about equal image files in two classes of `splits`, or an empty list.

        The list is empty for data sets that do not keep an image in a file of its own.
        """
        ...


def open_source(
    data: DataConfig,
    console: Console = SILENT,
    *,
    write: bool = True,
    classes: Sequence[str] | None = None,
) -> Source:
    """Open the data set that `data` names.

    Args:
        console: shows the progress.
        write: download and prepare the data set if necessary, and keep an index of its labels in
            its folder. If False nothing is written; a data set that is not there is not `ready`.
        classes: `Source.classes` when the run was started; the classes of a folder may have changed
            since then. TFDS fixes the classes of its data sets itself.

    Raises:
        RequestError: no such data set, no way to get it, or not one of images.
    """
    if data.dataset in SOURCES:
        make = import_module(f"triplet_train.data.sources.{data.dataset}").source
        source: Source = make(data, console, write=write, classes=classes)
    else:
        make = import_module("triplet_train.data.sources.tfds.splits").TfdsSource
        source = make(data, console, write=write)
    return source
