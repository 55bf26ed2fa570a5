"""Options that name a split of a data set."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triplet_train.errors import RequestError
from triplet_train.registry import SOURCES


@dataclass(frozen=True, kw_only=True)
class SplitRequest:
    """Options that name a split, as fields of the same names. None: as in the run of the tower.

    `classes` is `all`, or as data.eval_classes: a share such as `20%`, or classes, separated by
    commas or in a list.

    Raises:
        RequestError: the data set is one of files.
    """

    split: str | None = None
    dataset: str | None = None
    data_dir: Path | None = None
    image_key: str | None = None
    label_key: str | None = None
    classes: str | Sequence[str | int] | None = None

    def __post_init__(self) -> None:
        if self.dataset in SOURCES:
            raise RequestError(
                f"--dataset {self.dataset}: embed a folder or table with triplet-embed --images"
            )

    @property
    def names_a_split(self) -> bool:
        """True if any of the options is given."""
        return any((self.split, self.classes, *self.data_set().values()))

    def eval_classes(self) -> str | list[str | int] | None:
        """Return `classes` as a value of data.eval_classes; None if it is `all` or not given."""
        if self.classes is None or self.classes == "all":
            return None
        if not isinstance(self.classes, str):
            return list(self.classes)
        if re.fullmatch(r"\d+%", self.classes):
            return self.classes
        return [name.strip() for name in self.classes.split(",")]

    def data_set(self) -> dict[str, Any]:
        """Return the keys of `data` that name the data set and its features, if given."""
        given = {
            "dataset": self.dataset,
            "data_dir": None if self.data_dir is None else str(self.data_dir),
            "image_key": self.image_key,
            "label_key": self.label_key,
        }
        return {key: value for key, value in given.items() if value is not None}
