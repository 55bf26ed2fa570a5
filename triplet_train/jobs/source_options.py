"""Options that name another data set than that of a run."""

from pathlib import Path

from triplet_train.errors import RequestError
from triplet_train.registry import SOURCES


def source_options(
    dataset: str | None,
    data_dir: Path | None,
    image_key: str | None,
    label_key: str | None,
    classes: str | None,
) -> dict[str, str | None]:
    """Collect --dataset and the like for `OpenTower.source`.

    Raises:
        RequestError: the data set is a kind of folder, not a name.
    """
    if dataset in SOURCES:
        raise RequestError(f"--dataset {dataset}: embed a folder with triplet-embed --images")
    return {
        "dataset": dataset,
        "data_dir": None if data_dir is None else str(data_dir),
        "image_key": image_key,
        "label_key": label_key,
        "classes": classes,
    }
