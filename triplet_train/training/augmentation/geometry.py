"""Crop, flip, shear, zoom, rotation and shift, as one affine map for each image."""

import math

import tensorflow as tf

from triplet_train.config import AugmentConfig
from triplet_train.training.augmentation.draws import Draws, either_way
from triplet_train.training.augmentation.warp import warp

_MOST_STRETCH = math.log(4 / 3)  # logarithm, of the two sides of a crop against each other
_KEYS = ("crop", "rotate", "shift", "zoom", "shear", "flip")


def moved(settings: AugmentConfig, images: tf.Tensor, draws: Draws, rows: tf.Tensor) -> tf.Tensor:
    """Resample images, uint8 [n, H, W, C], once for all changes; return float32."""
    if not any(getattr(settings, key) for key in _KEYS):
        return tf.cast(images, tf.float32)
    return warp(images, tf.gather(_maps(settings, draws, *images.shape[1:3]), rows))


def _maps(settings: AugmentConfig, draws: Draws, height: int, width: int) -> tf.Tensor:
    """Return the maps from pixels of the result to pixels of the images, for `warp`, [B, 2, 3].

    They invert: crop, flip, shear along x, zoom, rotate counterclockwise, shift. From the centre,
    with x to the right and y down, p' = R Z S F C^-1 (p - c) + t, and so
    p = C F S^-1 Z^-1 R^-1 (p' - t) + c.
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
    maps = tf.stack(
        [
            tf.stack([xx, xy, -(xx * right + xy * down)], axis=1),
            tf.stack([yx, yy, -(yx * right + yy * down)], axis=1),
        ],
        axis=1,
    )
    if settings.crop:
        shares, centres = _crops(settings, draws, height, width)
        maps = maps * shares + tf.pad(centres, [[0, 0], [0, 0], [2, 0]])
    return maps


def _crops(
    settings: AugmentConfig, draws: Draws, height: int, width: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the parts of width and height that are kept, and where their centres are in pixels
    from that of the image, [B, 2, 1] each, x before y.

    Area, stretch and place are random, after Szegedy et al., Going Deeper with Convolutions (2015).
    Where torchvision's RandomResizedCrop draws again if the rectangle does not fit into the image,
    the stretch is limited here: to the same distribution for a given area of a square image.
    """
    area = 1.0 - settings.crop * draws.crop
    stretch = tf.minimum(_MOST_STRETCH, -tf.math.log(area)) * either_way(draws.crop_stretch)
    shares = tf.sqrt(tf.stack([area * tf.exp(stretch), area * tf.exp(-stretch)], axis=1))
    places = either_way(tf.stack([draws.crop_left, draws.crop_top], axis=1))
    free = (1.0 - shares) * tf.constant([width, height], tf.float32)
    return shares[..., tf.newaxis], (free / 2.0 * places)[..., tf.newaxis]


def _mirror(asked: bool, draw: tf.Tensor) -> tf.Tensor:
    """Return -1 for half of the draws if `asked`, else 1."""
    return tf.where(draw < 0.5, -1.0, 1.0) if asked else tf.ones_like(draw)
