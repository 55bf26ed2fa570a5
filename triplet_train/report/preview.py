"""A sheet of a batch's images as the tower gets them: P rows, K columns."""

import math

import numpy as np
import tensorflow as tf
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

from triplet_train.config import Config
from triplet_train.report.sheets import rgba
from triplet_train.report.style import FONT, short_name
from triplet_train.training.augmentation import make_augmentation
from triplet_train.training.randomness import step_key

_GAP = 2  # pixels between images
_LETTERS = 14  # pixels, where a line is as high
_SMALL = 64  # pixels; an image is shown as many times as large as fit into this
_MOST_PIXELS, _LONGEST = 16_000_000, 8192  # of the sheet; larger images are shown smaller


def preview_sheet(
    config: Config, images: np.ndarray, labels: np.ndarray, class_names: dict[int, str]
) -> Image.Image:
    """The images of the first step's batch, augmented by what the step itself calls.

    Args:
        images: uint8 [P * K, H, W, C], batch 0 as `PKBatches` orders it, a class after the other.
        labels: integers [P * K].
        class_names: the name of each label.
    """
    augment = make_augmentation(config.augment)
    if augment:
        rows = len(images)

        @tf.function(autograph=False, jit_compile=config.train.jit_compile is True)
        def first_step() -> tf.Tensor:
            return augment(tf.constant(images), step_key(config.seed, 0), tf.range(rows), rows)

        images = first_step().numpy()
    titles = [short_name(int(label), class_names) for label in labels[:: config.batch.per_class]]
    return sheet(images, titles)


def sheet(images: np.ndarray, titles: list[str]) -> Image.Image:
    """As many lines of images as there are titles, each after its title.

    Small images are magnified, each pixel to a square of them; large ones are shown smaller where
    the sheet would else be beyond bounds.

    Args:
        images: uint8 [lines * columns, H, W, 1 to 4], line by line.
    """
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
    """Height and width in which each image of a sheet is shown."""
    scale = min(
        max(1, _SMALL // max(height, width)),
        math.sqrt(_MOST_PIXELS / (lines * height * columns * width)),
        _LONGEST / (lines * height),
        _LONGEST / (columns * width),
    )
    if scale > 1:
        scale = int(scale)
    return max(1, int(scale * height)), max(1, int(scale * width))
