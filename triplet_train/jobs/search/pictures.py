"""Pictures of the images that a search found, for its page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from triplet_train.config import Config, DataConfig
from triplet_train.console import Console
from triplet_train.data.boxes import Box
from triplet_train.data.conversion import UNREADABLE
from triplet_train.data.decoding import Decode, make_decode
from triplet_train.data.source import open_source
from triplet_train.data.unsplit_folder import root_of
from triplet_train.errors import CommandError
from triplet_train.registry import SOURCES

_SIDE = 160  # pixels of a picture that is decoded for the page
Pictures = dict[str, np.ndarray]


def pictures_of_files(names: Sequence[str], root: Path = Path()) -> Pictures:
    """Read image files, or parts of them, as they appear to the tower: uint8 [160, 160, 3] each.

    Args:
        names: ids of images, paths in `root`.

    Returns:
        Pictures by name; those that cannot be read are left out.
    """
    decode: Decode = make_decode((_SIDE, _SIDE, 3), "pad")
    pictures = {}
    for name in names:
        path, _, corners = name.rpartition("#")
        whole = not path or (root / name).exists()
        try:
            box = None if whole else _box(corners)
            pictures[name] = decode(root / (name if whole else path), box)
        except UNREADABLE:
            continue
    return pictures


def pictures_of_gallery(
    ids: Sequence[str], metadata: dict[str, Any], console: Console
) -> tuple[Pictures, str]:
    """Find the pictures of images of an embedding file.

    Args:
        ids: of the images.
        metadata: of the file, which names its folder, table or data set.

    Returns:
        Pictures, uint8 [H, W, C], by id, and a remark on those that are not there, or none.
    """
    dataset = str(metadata.get("dataset"))
    config = metadata.get("config")
    data = Config.model_validate(config).data if config else None
    of_tfds = data and data.dataset not in SOURCES and _plain(data.dataset) == _plain(dataset)
    if data and of_tfds:
        where = f"the data set {dataset}"
        pictures = _of_source(ids, data, str(metadata.get("split")), console)
    else:
        root = root_of(Path(dataset), data)
        where = f"the folder {root}"
        pictures = pictures_of_files(ids, root)
    missing = len(set(ids)) - len(pictures)
    if not missing:
        return pictures, ""
    return pictures, f"{missing:,} of {len(set(ids)):,} pictures of the gallery are not in {where}."


def _of_source(ids: Sequence[str], data: DataConfig, split: str, console: Console) -> Pictures:
    """Read images of a data set; none if it is not on this machine."""
    try:
        source = open_source(data, console, write=False)
        if not source.ready:
            return {}
        table = source.table(split)
        wanted = set(ids)
        rows = np.array([row for row, id_ in enumerate(table.ids) if id_ in wanted], np.int64)
        images, failures = table.try_read(rows)
    except CommandError:  # the page does without
        return {}
    return {
        table.ids[row]: images[place]
        for place, row in enumerate(rows.tolist())
        if place not in failures
    }


def _plain(dataset: str) -> str:
    """Return the name of a TFDS data set without its version: `a/b:1.0.0`, as `a/b/1.0.0`."""
    name, _, last = dataset.partition(":")[0].rpartition("/")
    return name if name and last[:1].isdigit() else dataset.partition(":")[0]


def _box(corners: str) -> Box:
    left, top, right, bottom = map(float, corners.split(","))
    return Box((left, top, right, bottom), in_pixels=max(right, bottom) > 1)
