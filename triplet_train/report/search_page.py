"""The page of a search: photographs, and the images that are nearest to them."""

import io
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from triplet_train.files import write_text
from triplet_train.report.sheets import rgba
from triplet_train.report.writing import rendered

_SMALL = 64  # pixels; JPEG would blur a picture of fewer


class FoundImage(NamedTuple):
    """An image of the gallery, in words, with its picture, uint8 [H, W, C], if there is one.

    `same` is None without a threshold.
    """

    rank: int
    id: str
    class_name: str
    distance: str
    same: bool | None
    picture: np.ndarray | None

    @property
    def uri(self) -> str | None:
        """The picture as a data URI."""
        return _uri(self.picture)


class Photograph(NamedTuple):
    """A photograph with its picture, uint8 [H, W, C], and what was found."""

    name: str
    picture: np.ndarray | None
    found: list[FoundImage]

    @property
    def uri(self) -> str | None:
        """The picture as a data URI."""
        return _uri(self.picture)


def write_search_page(
    file: Path, about: Mapping[str, str], photographs: Sequence[Photograph], remark: str
) -> None:
    """Write the page to `file`.

    Args:
        about: facts that are shown below the title.
        remark: on pictures that are missing, or empty.

    Raises:
        OSError: it cannot be written.
    """
    values = {"photographs": photographs, "remark": remark}
    write_text(file, rendered("search_page.html.j2", file, file.stem, about, {}, values))


def _uri(picture: np.ndarray | None) -> str | None:
    if picture is None:
        return None
    image, content = Image.fromarray(rgba(picture)), io.BytesIO()
    if max(image.size) <= _SMALL:
        kind = "png"
        image.save(content, kind)
    else:
        kind = "jpeg"
        image.convert("RGB").save(content, kind, quality=88)
    return f"data:image/{kind};base64," + b64encode(content.getvalue()).decode()
