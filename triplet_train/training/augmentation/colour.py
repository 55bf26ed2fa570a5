"""Changes of colour: contrast, brightness, saturation, hue, and grey instead of colours."""

import math

import numpy as np
import tensorflow as tf

from triplet_train.config import AugmentConfig
from triplet_train.training.augmentation.draws import Draws, either_way, per_image

# Y, I and Q of NTSC, from red, green and blue. Y is the luma of ITU-R BT.601.
_YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
_QUARTER = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])  # turn, I towards Q
_LUMA = np.repeat(_YIQ[:1], 3, axis=0)
_TURNED = np.linalg.inv(_YIQ) @ _QUARTER @ _YIQ


def coloured(
    settings: AugmentConfig, pixels: tf.Tensor, draws: Draws, rows: tf.Tensor
) -> tf.Tensor:
    """Change the colours of images, float32 [n, H, W, C]; the result is not clipped to 0..255.

    Contrast scales about middle grey, brightness adds. The other changes need red, green and blue.
    All are affine, so that their order does not matter.
    """
    if settings.contrast or settings.brightness:
        factor = 1.0 + settings.contrast * either_way(draws.contrast)
        offset = 127.5 * (1.0 - factor) + 255.0 * settings.brightness * either_way(draws.brightness)
        pixels = pixels * per_image(factor, rows) + per_image(offset, rows)
    if settings.colour_keys:
        lines = tf.gather(_matrices(settings, draws), rows)[..., tf.newaxis, tf.newaxis]
        red, green, blue = tf.unstack(pixels, axis=-1)
        mixed = [
            line[:, 0] * red + line[:, 1] * green + line[:, 2] * blue
            for line in tf.unstack(lines, axis=1)
        ]
        pixels = tf.stack(mixed, axis=-1)
    return pixels


def _matrices(settings: AugmentConfig, draws: Draws) -> tf.Tensor:
    """Return the matrices from colours to changed colours, [B, 3, 3].

    In YIQ, hue is the angle of (I, Q), which is turned, and saturation their length, which is
    scaled; Y is kept. This is `adjust_hsv_in_yiq` of tensorflow_addons. The saturation of
    torchvision, a mixture with the grey image, is the same scaling.
    """
    saturation = 1.0 + settings.saturation * either_way(draws.saturation)
    saturation = tf.where(draws.grayscale < settings.grayscale, 0.0, saturation)
    angle = 2.0 * math.pi * settings.hue * either_way(draws.hue)
    same, turned = (
        (saturation * part)[:, tf.newaxis, tf.newaxis] for part in (tf.cos(angle), tf.sin(angle))
    )
    luma, chroma, turned_chroma = (
        tf.constant(part, tf.float32) for part in (_LUMA, np.eye(3) - _LUMA, _TURNED)
    )
    return luma + same * chroma + turned * turned_chroma
