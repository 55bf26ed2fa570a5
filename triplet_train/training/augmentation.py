"""Augmentation: random changes of training images, on the device, within the step."""

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
_MOST_ASPECT = 1 / 0.3  # of an erased rectangle, height to width; the least is the inverse


class Draws(NamedTuple):
    """Random numbers in [0, 1), float32 [B] each, one for each image of a batch.

    All are always drawn, so that no option changes the effect of another.
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
    """Return a function of (images, key, rows, B) that augments images; None if all is off.

    Its arguments are images, uint8 [n, H, W, C]; the key of the step; the rows [n] of the images in
    the batch; and the size B of the batch. The change of an image is a function of
    (seed, step, row), independent of the other images.
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
    """Warp images, change contrast and brightness, and erase rectangles, by the given numbers.

    Computed in float32 for any precision of the tower, and rounded once. Costs O(n H W C); an
    option that is off costs nothing.

    Args:
        images: uint8 [n, H, W, C], of a static shape.
        draws: for the whole batch, since a sine can differ in its last bit if it is computed
            together with other numbers.
        rows: [n], the index of each image in `draws`.

    Returns:
        uint8 [n, H, W, C].
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
    """Return the maps from pixels of the result to pixels of the images, for `warp`, [B, 2, 3].

    They invert: flip, shear along x, zoom, rotate counterclockwise, shift. From the centre, with x
    to the right and y down, p' = R Z S F p + t, and so p = F S^-1 Z^-1 R^-1 (p' - t).
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
    """Return factor and offset, [B] each. Contrast scales about middle grey, brightness adds."""
    factor = 1.0 + settings.contrast * _either_way(draws.contrast)
    added = 255.0 * settings.brightness * _either_way(draws.brightness)
    return factor, 127.5 * (1.0 - factor) + added


def _rectangles(settings: AugmentConfig, draws: Draws, height: int, width: int) -> list[tf.Tensor]:
    """Return top, bottom, left and right of the erased rectangles in pixels, float32 [B] each.

    Area, aspect and place are random, and the rectangle lies inside the image, after Zhong et al.,
    Random Erasing Data Augmentation (2020). Its area is at most the drawn one, possibly 0.
    """
    area = settings.erase * draws.erase * float(height * width)
    aspect = tf.exp(math.log(_MOST_ASPECT) * _either_way(draws.erase_aspect))
    tall = tf.clip_by_value(tf.round(tf.sqrt(area * aspect)), 1.0, height)
    wide = tf.minimum(tf.floor(area / tall), width)
    top = tf.floor(draws.erase_top * (height - tall + 1.0))
    left = tf.floor(draws.erase_left * (width - wide + 1.0))
    return [top, top + tall, left, left + wide]


def _within(sides: list[tf.Tensor], rows: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Return a mask of the pixels in the rectangle of their image, bool [n, H, W, 1]."""
    top, bottom, left, right = (_per_image(side, rows) for side in sides)
    y = tf.range(height, dtype=tf.float32)[:, tf.newaxis, tf.newaxis]
    x = tf.range(width, dtype=tf.float32)[:, tf.newaxis]
    return (top <= y) & (y < bottom) & (left <= x) & (x < right)


def _per_image(values: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Return the values [B] of the given rows, [n, 1, 1, 1]."""
    return tf.gather(values, rows)[:, tf.newaxis, tf.newaxis, tf.newaxis]


def _either_way(draw: tf.Tensor) -> tf.Tensor:
    """Map [0, 1) to [-1, 1)."""
    return 2.0 * draw - 1.0


def _mirror(asked: bool, draw: tf.Tensor) -> tf.Tensor:
    """Return -1 for half of the draws if `asked`, else 1."""
    return tf.where(draw < 0.5, -1.0, 1.0) if asked else tf.ones_like(draw)
