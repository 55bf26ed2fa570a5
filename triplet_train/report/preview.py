"""Sheet of the images of a batch: P rows, K columns."""

import math

import numpy as np
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

from triplet_train.report.sheets import rgba
from triplet_train.report.style import FONT, short_name

_GAP = 2  # pixels between images
_LETTERS = 14  # pixels, where a line is as high
_SMALL = 64  # pixels; an image is magnified as long as it fits into this
_MOST_PIXELS, _LONGEST = 16_000_000, 8192  # of the sheet


def preview_sheet(
    images: np.ndarray, labels: np.ndarray, class_names: dict[int, str]
) -> Image.Image:
    """Draw a line of images for each class, after its name.

    Small images are magnified by whole factors; large ones are reduced if the sheet would be too
    large.

    Args:
        images: uint8 [P * K, H, W, 1 to 4], one class after the other.
        labels: integers [P], the class of each line.
        class_names: the name of each label.
    """
    titles = [short_name(label, class_names) for label in labels.tolist()]
    lines, columns = len(titles), len(images) // len(titles)
    height, width = _shown(images.shape[1], images.shape[2], lines, columns)
    method = Image.Resampling.BOX if height < images.shape[1] else Image.Resampling.NEAREST
    font = ImageFont.truetype(findfont(FONT), min(_LETTERS, height))
    first = math.ceil(max(map(font.getlength, titles))) + 3 * _GAP
    across, down = first + columns * (width + _GAP), lines * (height + _GAP)
    page = Image.new("RGBA", (across, down), "white")
    pen = ImageDraw.Draw(page)
    for line, title in enumerate(titles):
        top = line * (height + _GAP)
        pen.text((_GAP, top + height / 2), title, "black", font, anchor="lm")
        for column, image in enumerate(images[line * columns :][:columns]):
            picture = Image.fromarray(rgba(image)).resize((width, height), method)
            page.alpha_composite(picture, (first + column * (width + _GAP), top))
    return page.convert("RGB")


def _shown(height: int, width: int, lines: int, columns: int) -> tuple[int, int]:
    """Height and width of each image on a sheet, in pixels."""
    scale = min(
        max(1, _SMALL // max(height, width)),
        math.sqrt(_MOST_PIXELS / (lines * height * columns * width)),
        _LONGEST / (lines * height),
        _LONGEST / (columns * width),
    )
    if scale > 1:
        scale = int(scale)
    return max(1, int(scale * height)), max(1, int(scale * width))
