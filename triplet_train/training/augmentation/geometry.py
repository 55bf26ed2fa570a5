"""Flip, shear, zoom, rotation and shift, as one affine map for each image."""

import math

import tensorflow as tf

from triplet_train.config import AugmentConfig
from triplet_train.training.augmentation.draws import Draws, either_way
from triplet_train.training.augmentation.warp import warp

_KEYS = ("rotate", "shift", "zoom", "shear", "flip")


def moved(settings: AugmentConfig, images: tf.Tensor, draws: Draws, rows: tf.Tensor) -> tf.Tensor:
    """Resample images, uint8 [n, H, W, C], once for all changes; return float32."""
    if not any(getattr(settings, key) for key in _KEYS):
        return tf.cast(images, tf.float32)
    return warp(images, tf.gather(_maps(settings, draws, *images.shape[1:3]), rows))


def _maps(settings: AugmentConfig, draws: Draws, height: int, width: int) -> tf.Tensor:
    """Return the maps from pixels of the result to pixels of the images, for `warp`, [B, 2, 3].

    They invert: flip, shear along x, zoom, rotate counterclockwise, shift. From the centre, with x
    to the right and y down, p' = R Z S F p + t, and so p = F S^-1 Z^-1 R^-1 (p' - t).
    """
    angle = math.radians(settings.rotate) * either_way(draws.rotate)
    cosine, sine = tf.cos(angle), tf.sin(angle)
    scale = 1.0 + settings.zoom * either_way(draws.zoom)
    shear = settings.shear * either_way(draws.shear)
    mirror_x = _mirror(settings.flip in ("horizontal", "both"), draws.flip_x) / scale
    mirror_y = _mirror(settings.flip in ("vertical", "both"), draws.flip_y) / scale
    xx, xy = mirror_x * (cosine - shear * sine), mirror_x * (-sine - shear * cosine)
    yx, yy = mirror_y * sine, mirror_y * cosine
    right = settings.shift * width * either_way(draws.shift_x)
    down = settings.shift * height * either_way(draws.shift_y)
    return tf.stack(
        [
            tf.stack([xx, xy, -(xx * right + xy * down)], axis=1),
            tf.stack([yx, yy, -(yx * right + yy * down)], axis=1),
        ],
        axis=1,
    )


def _mirror(asked: bool, draw: tf.Tensor) -> tf.Tensor:
    """Return -1 for half of the draws if `asked`, else 1."""
    return tf.where(draw < 0.5, -1.0, 1.0) if asked else tf.ones_like(draw)
