"""Blurring of images, each by a Gaussian of its own width."""

import math

import tensorflow as tf

from triplet_train.config import AugmentConfig
from triplet_train.training.augmentation.draws import Draws

_REACH = 3  # of a kernel, in standard deviations of the widest
_SHARP = 1e-3  # standard deviation in pixels at which a neighbour's weight is 0


def blurred(settings: AugmentConfig, pixels: tf.Tensor, draws: Draws, rows: tf.Tensor) -> tf.Tensor:
    """Convolve images, float32 [n, H, W, C], with Gaussians; the edge goes on in its own colour.

    Sums of shifted images, first along y and then along x: a convolution has one kernel for all
    images. Costs O(blur n H W C).
    """
    if not settings.blur:
        return pixels
    reach = math.ceil(_REACH * settings.blur)
    weights = tf.gather(_weights(settings, draws, reach), rows)
    weights = tf.unstack(weights[..., tf.newaxis, tf.newaxis, tf.newaxis], axis=1)
    return _along(2, _along(1, pixels, weights), weights)


def _along(axis: int, pixels: tf.Tensor, weights: list[tf.Tensor]) -> tf.Tensor:
    """Return the weighted sums of the neighbours along one axis."""
    size, reach = pixels.shape[axis], len(weights) - 1

    def part(of: tf.Tensor, first: int, count: int = size) -> tf.Tensor:
        return of[(slice(None),) * axis + (slice(first, first + count),)]

    before, after = part(pixels, 0, 1), part(pixels, size - 1, 1)
    wide = tf.concat([before] * reach + [pixels] + [after] * reach, axis)
    result = weights[0] * pixels
    for away, weight in enumerate(weights[1:], start=1):
        result += weight * (part(wide, reach - away) + part(wide, reach + away))
    return result


def _weights(settings: AugmentConfig, draws: Draws, reach: int) -> tf.Tensor:
    """Return the weights of pixels at distances 0 to `reach` on either side, [B, 1 + reach]."""
    deviation = tf.maximum(settings.blur * draws.blur, _SHARP)[:, tf.newaxis]
    heights = tf.exp(-0.5 * tf.square(tf.range(reach + 1, dtype=tf.float32) / deviation))
    return heights / (2.0 * tf.reduce_sum(heights, axis=1, keepdims=True) - 1.0)
