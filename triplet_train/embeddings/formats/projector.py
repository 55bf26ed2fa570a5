"""The projector of TensorBoard: a folder with two TSV files and a sprite of the images."""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.text_format import MessageToString, Parse
from PIL import Image
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

from triplet_train.data.columns import ColumnTypes
from triplet_train.embeddings.arrays import texts_of
from triplet_train.embeddings.table import Append, EmbeddingTable
from triplet_train.files import write_text

_SETTINGS = "projector_config.pbtxt"
_SPRITE_SIDE = 8192  # pixels; the projector does not take more
_THUMBNAIL = 64  # pixels, the longest side of an image on a point


@contextmanager
def writer(
    path: Path, width: int, metadata: dict[str, Any], columns: ColumnTypes
) -> Iterator[Append]:
    """Write a folder with vectors.tsv, metadata.tsv (label_name, label, id, columns) and settings.

    `tensorboard --logdir FOLDER` opens it; the standalone projector loads the two TSV files.
    sprite.png holds small copies of the images, unless they do not fit into one sprite.
    """
    path.mkdir()
    thumbnails: list[np.ndarray] | None = []
    with (
        (path / "vectors.tsv").open("w") as vectors,
        (path / "metadata.tsv").open("w", encoding="utf-8") as rows,
    ):
        names = ["label_name", "label", "id", *columns]
        rows.write("\t".join(map(_field, names)) + "\n")

        def append(table: EmbeddingTable) -> None:
            nonlocal thumbnails
            # Nine digits give back every float32 exactly.
            np.savetxt(vectors, table.embeddings, fmt="%.9g", delimiter="\t")
            texts = [texts_of(values) for values in table.columns.values()]
            labels = map(str, table.labels.tolist())
            for row in zip(table.label_names, labels, table.ids, *texts, strict=True):
                rows.write("\t".join(map(_field, row)) + "\n")
            if thumbnails is not None and table.images is not None:
                thumbnails += map(_thumbnail, table.images)
                if not _fits(thumbnails):
                    thumbnails = None

        yield append
    if thumbnails:
        _sprite(thumbnails).save(path / "sprite.png")
    config = ProjectorConfig()
    about = config.embeddings.add(
        tensor_name="embeddings", tensor_path="vectors.tsv", metadata_path="metadata.tsv"
    )
    if thumbnails:
        about.sprite.image_path = "sprite.png"
        about.sprite.single_image_dim.extend(thumbnails[0].shape[1::-1])
    (path / _SETTINGS).write_text(MessageToString(config))
    (path / "metadata.json").write_text(json.dumps(metadata, indent=1) + "\n")


def list_exports(folder: Path) -> None:
    """Write settings for `tensorboard --logdir FOLDER` to show all exports in a folder."""
    both = ProjectorConfig()
    for settings in sorted(folder.glob(f"*/{_SETTINGS}")):
        name = settings.parent.name
        (about,) = Parse(settings.read_text(), ProjectorConfig()).embeddings
        about.tensor_name = name
        about.tensor_path = f"{name}/{about.tensor_path}"
        about.metadata_path = f"{name}/{about.metadata_path}"
        if about.sprite.image_path:
            about.sprite.image_path = f"{name}/{about.sprite.image_path}"
        both.embeddings.append(about)
    write_text(folder / _SETTINGS, MessageToString(both))


def _thumbnail(image: np.ndarray) -> np.ndarray:
    """Shrink uint8 [H, W, C] to uint8 [h, w, 3] with sides of at most `_THUMBNAIL`."""
    grey = image.shape[-1] == 1
    small = Image.fromarray(image[..., 0] if grey else image[..., :3])
    small.thumbnail((_THUMBNAIL, _THUMBNAIL))
    return np.asarray(small.convert("RGB"))


def _fits(thumbnails: list[np.ndarray]) -> bool:
    side: int = max(thumbnails[0].shape)
    return math.isqrt(len(thumbnails) - 1) < _SPRITE_SIDE // side


def _sprite(thumbnails: list[np.ndarray]) -> Image.Image:
    """Arrange images in rows of a square, as the projector expects them."""
    across = math.isqrt(len(thumbnails) - 1) + 1
    height, width, _ = thumbnails[0].shape
    sheet = Image.new("RGB", (across * width, across * height))
    for number, thumbnail in enumerate(thumbnails):
        top, left = number // across * height, number % across * width
        sheet.paste(Image.fromarray(thumbnail), (left, top))
    return sheet


def _field(text: str) -> str:
    """Replace white space by spaces, as the projector knows no quotes or escapes."""
    return " ".join(text.split())
