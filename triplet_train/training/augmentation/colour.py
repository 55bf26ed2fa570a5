"""Changes of colour: contrast and brightness."""

import tensorflow as tf

from triplet_train.config import AugmentConfig
from triplet_train.training.augmentation.draws import Draws, either_way, per_image


def coloured(
    settings: AugmentConfig, pixels: tf.Tensor, draws: Draws, rows: tf.Tensor
) -> tf.Tensor:
    """Change contrast and brightness of images, float32 [n, H, W, C].

    Contrast scales about middle grey, brightness adds. The result is not clipped to 0..255.
    """
    if not (settings.contrast or settings.brightness):
        return pixels
    factor = 1.0 + settings.contrast * either_way(draws.contrast)
    offset = 127.5 * (1.0 - factor) + 255.0 * settings.brightness * either_way(draws.brightness)
    return pixels * per_image(factor, rows) + per_image(offset, rows)
