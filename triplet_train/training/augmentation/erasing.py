"""Random erasing."""

import math

import tensorflow as tf

from triplet_train.config import AugmentConfig
from triplet_train.training.augmentation.draws import Draws, either_way, per_image

_MOST_ASPECT = 1 / 0.3  # of an erased rectangle, height to width; the least is the inverse


def erased(settings: AugmentConfig, images: tf.Tensor, draws: Draws, rows: tf.Tensor) -> tf.Tensor:
    """Fill a rectangle of each image, uint8 [n, H, W, C], with one random grey level."""
    if not settings.erase:
        return images
    height, width = images.shape[1:3]
    level = tf.cast(per_image(draws.erase_level, rows) * 256.0, tf.uint8)
    inside = _within(_rectangles(settings, draws, height, width), rows, height, width)
    return tf.where(inside, level, images)


def _rectangles(settings: AugmentConfig, draws: Draws, height: int, width: int) -> list[tf.Tensor]:
    """Return top, bottom, left and right of the erased rectangles in pixels, float32 [B] each.

    Area, aspect and place are random, and the rectangle lies inside the image, after Zhong et al.,
    Random Erasing Data Augmentation (2020). Its area is at most the drawn one, possibly 0.
    """
    area = settings.erase * draws.erase * float(height * width)
    aspect = tf.exp(math.log(_MOST_ASPECT) * either_way(draws.erase_aspect))
    tall = tf.clip_by_value(tf.round(tf.sqrt(area * aspect)), 1.0, height)
    wide = tf.minimum(tf.floor(area / tall), width)
    top = tf.floor(draws.erase_top * (height - tall + 1.0))
    left = tf.floor(draws.erase_left * (width - wide + 1.0))
    return [top, top + tall, left, left + wide]


def _within(sides: list[tf.Tensor], rows: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Return a mask of the pixels in the rectangle of their image, bool [n, H, W, 1]."""
    top, bottom, left, right = (per_image(side, rows) for side in sides)
    y = tf.range(height, dtype=tf.float32)[:, tf.newaxis, tf.newaxis]
    x = tf.range(width, dtype=tf.float32)[:, tf.newaxis]
    return (top <= y) & (y < bottom) & (left <= x) & (x < right)
