"""Options that triplet-embed and triplet-eval have in common: another data set than the run's."""

from dataclasses import dataclass
from pathlib import Path

from triplet_train.errors import RequestError
from triplet_train.registry import SOURCES


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """The options of the same names; None is as in the run."""

    split: str | None = None
    dataset: str | None = None
    data_dir: Path | None = None
    image_key: str | None = None
    label_key: str | None = None
    classes: str | None = None

    @property
    def source(self) -> dict[str, str | None]:
        """All options but the split, for `OpenTower.split`.

        Raises:
            RequestError: the data set is a kind of folder, not a name.
        """
        if self.dataset in SOURCES:
            raise RequestError(
                f"--dataset {self.dataset}: embed a folder with triplet-embed --images"
            )
        return {
            "dataset": self.dataset,
            "data_dir": None if self.data_dir is None else str(self.data_dir),
            "image_key": self.image_key,
            "label_key": self.label_key,
            "classes": self.classes,
        }
