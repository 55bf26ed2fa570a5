"""Augmentation: training images changed at random, on the device, within the step."""

import math
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from triplet_train.config import AugmentConfig
from triplet_train.losses.mining.uniform import uniform
from triplet_train.training.randomness import IMAGES, fold
from triplet_train.training.warp import warp

Augment = Callable[[tf.Tensor, tf.Tensor, tf.Tensor, int], tf.Tensor]
_GEOMETRY = ("rotate", "shift", "zoom", "shear", "flip")
_TONE = ("contrast", "brightness")
_MOST_ASPECT = 1 / 0.3  # of a rectangle that is erased, either way; as in Zhong et al.


class Draws(NamedTuple):
    """Random numbers in [0, 1), float32 [B] each, a place for every row of a batch.

    All are drawn, whatever is switched on: no option changes what another one does.
    """

    rotate: tf.Tensor
    shift_x: tf.Tensor
    shift_y: tf.Tensor
    zoom: tf.Tensor
    shear: tf.Tensor
    flip_x: tf.Tensor
    flip_y: tf.Tensor
    contrast: tf.Tensor
    brightness: tf.Tensor
    erase: tf.Tensor
    erase_aspect: tf.Tensor
    erase_left: tf.Tensor
    erase_top: tf.Tensor
    erase_level: tf.Tensor


def make_augmentation(settings: AugmentConfig) -> Augment | None:
    """(images uint8 [n, H, W, C], key, rows [n], B) -> images, as `augment` asks for.

    The key is that of the step, `rows` says which rows of the batch of B these images are. What
    happens to a row is a function of (seed, step, row), whatever other rows come with it.

    None where nothing is switched on.
    """
    if not any(settings.model_dump().values()):
        return None

    def augment(images: tf.Tensor, key: tf.Tensor, rows: tf.Tensor, total: int) -> tf.Tensor:
        table = uniform([total, len(Draws._fields)], fold(key, IMAGES))
        return augmented(settings, images, Draws(*tf.unstack(table, axis=1)), rows)

    return augment


def augmented(
    settings: AugmentConfig, images: tf.Tensor, draws: Draws, rows: tf.Tensor
) -> tf.Tensor:
    """Images warped, then changed in contrast and brightness, then erased, by the given numbers.

    In float32 whatever the tower computes in, rounded once. What is off costs nothing.

    Args:
        images: uint8 [n, H, W, C], of a known shape.
        draws: of the whole batch, since a sine worked out among other numbers can differ in its
            last bit.
        rows: [n], the place in `draws` of each image.

    Returns:
        uint8 [n, H, W, C]. O(n H W C).
    """
    height, width = images.shape[1:3]
    if any(getattr(settings, key) for key in _GEOMETRY):
        pixels = warp(images, tf.gather(_maps(settings, draws, height, width), rows))
    else:
        pixels = tf.cast(images, tf.float32)
    if any(getattr(settings, key) for key in _TONE):
        factor, offset = _tone(settings, draws)
        pixels = pixels * _per_image(factor, rows) + _per_image(offset, rows)
    changed = tf.cast(tf.round(tf.clip_by_value(pixels, 0.0, 255.0)), tf.uint8)
    if settings.erase:
        level = tf.cast(_per_image(draws.erase_level, rows) * 256.0, tf.uint8)
        inside = _within(_rectangles(settings, draws, height, width), rows, height, width)
        changed = tf.where(inside, level, changed)
    return changed


def _maps(settings: AugmentConfig, draws: Draws, height: int, width: int) -> tf.Tensor:
    """Return the maps for `warp`, [B, 2, 3]: from a pixel of the new image to its place in the old.

    The inverse of: flip, shear along x, zoom, rotate counterclockwise, shift. From the centre, with
    x to the right and y down, p' = R Z S F p + t, and so p = F S^-1 Z^-1 R^-1 (p' - t).
    """
    angle = math.radians(settings.rotate) * _either_way(draws.rotate)
    cosine, sine = tf.cos(angle), tf.sin(angle)
    scale = 1.0 + settings.zoom * _either_way(draws.zoom)
    shear = settings.shear * _either_way(draws.shear)
    mirror_x = _mirror(settings.flip in ("horizontal", "both"), draws.flip_x) / scale
    mirror_y = _mirror(settings.flip in ("vertical", "both"), draws.flip_y) / scale
    xx, xy = mirror_x * (cosine - shear * sine), mirror_x * (-sine - shear * cosine)
    yx, yy = mirror_y * sine, mirror_y * cosine
    right = settings.shift * width * _either_way(draws.shift_x)
    down = settings.shift * height * _either_way(draws.shift_y)
    return tf.stack(
        [
            tf.stack([xx, xy, -(xx * right + xy * down)], axis=1),
            tf.stack([yx, yy, -(yx * right + yy * down)], axis=1),
        ],
        axis=1,
    )


def _tone(settings: AugmentConfig, draws: Draws) -> tuple[tf.Tensor, tf.Tensor]:
    """Factor and offset, [B] each: contrast stretches about the middle grey, brightness adds."""
    factor = 1.0 + settings.contrast * _either_way(draws.contrast)
    added = 255.0 * settings.brightness * _either_way(draws.brightness)
    return factor, 127.5 * (1.0 - factor) + added


def _rectangles(settings: AugmentConfig, draws: Draws, height: int, width: int) -> list[tf.Tensor]:
    """Top, bottom, left and right of what is erased, in whole pixels, float32 [B] each.

    As in Zhong et al., Random Erasing Data Augmentation (2020): area, aspect and place at random,
    wholly inside. Of no more than the area that was drawn, so that a small one may be of no pixel.
    """
    area = settings.erase * draws.erase * float(height * width)
    aspect = tf.exp(math.log(_MOST_ASPECT) * _either_way(draws.erase_aspect))
    tall = tf.clip_by_value(tf.round(tf.sqrt(area * aspect)), 1.0, height)
    wide = tf.minimum(tf.floor(area / tall), width)
    top = tf.floor(draws.erase_top * (height - tall + 1.0))
    left = tf.floor(draws.erase_left * (width - wide + 1.0))
    return [top, top + tall, left, left + wide]


def _within(sides: list[tf.Tensor], rows: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Mask of the pixels within their image's rectangle, bool [n, H, W, 1]."""
    top, bottom, left, right = (_per_image(side, rows) for side in sides)
    y = tf.range(height, dtype=tf.float32)[:, tf.newaxis, tf.newaxis]
    x = tf.range(width, dtype=tf.float32)[:, tf.newaxis]
    return (top <= y) & (y < bottom) & (left <= x) & (x < right)


def _per_image(values: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Of values [B] those of the given rows: [n, 1, 1, 1]."""
    return tf.gather(values, rows)[:, tf.newaxis, tf.newaxis, tf.newaxis]


def _either_way(draw: tf.Tensor) -> tf.Tensor:
    """From [0, 1) to [-1, 1)."""
    return 2.0 * draw - 1.0


def _mirror(asked: bool, draw: tf.Tensor) -> tf.Tensor:
    """-1 in half of the cases where it is asked for, else 1."""
    return tf.where(draw < 0.5, -1.0, 1.0) if asked else tf.ones_like(draw)
