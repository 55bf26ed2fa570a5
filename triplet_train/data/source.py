"""Where images come from: a TFDS data set, or one of the sources in `registry.SOURCES`."""

from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Protocol

from triplet_train.config import DataConfig
from triplet_train.console import SILENT, Console
from triplet_train.data.images import ImageTable, Shape
from triplet_train.registry import SOURCES


class Source(Protocol):
    """A data set. Making one reads no image.

    Attributes:
        data: the section of the configuration that it was made by.
        name: of the set, with its version; or its path.
        image_shape: height, width and channels of the images that it gives.
        ready: whether the set is on disk, so that its splits are known.
        classes: names in the order of their labels, for a run to keep; none where a set has none.
    """

    data: DataConfig
    image_shape: Shape
    classes: Sequence[str]

    @property
    def name(self) -> str: ...

    @property
    def ready(self) -> bool: ...

    def count(self, split: str) -> int:
        """Rows in `split`. Raises RequestError where the set has no such split, or an empty one."""
        ...

    def table(self, split: str) -> ImageTable:
        """The rows of `split`.

        Raises:
            RequestError: no such split, or classes that cannot be told apart.
            RunError: a file is damaged.
        """
        ...

    def in_two_classes(self, splits: Iterable[str]) -> list[str]:
        """A line on image files that lie in two classes, in one of `splits` or between them.

        Empty where there are none, and where images are no files of their own.
        """
        ...


def open_source(
    data: DataConfig,
    console: Console = SILENT,
    *,
    write: bool = True,
    classes: Sequence[str] | None = None,
) -> Source:
    """The data set that `data` names.

    Args:
        console: shows the progress of whatever takes long.
        write: prepare (download) the set in its folder where it is not there yet, and keep its
            index of labels there. If False nothing is written: a set that would have to be
            downloaded is then not `ready`.
        classes: those of the run that the set is opened for again, as `Source.classes` gave them.
            TFDS's sets number theirs themselves, a folder's may have changed.

    Raises:
        RequestError: no such set, no way to get it, or not one of images.
    """
    if data.dataset in SOURCES:
        make = import_module(f"triplet_train.data.sources.{data.dataset}").source
        source: Source = make(data, console, write=write, classes=classes)
    else:
        make = import_module("triplet_train.data.sources.tfds.splits").source
        source = make(data, console, write=write)
    return source
