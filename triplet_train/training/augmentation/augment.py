"""Random changes of training images, on the device, within the step."""

from collections.abc import Callable

import tensorflow as tf

from triplet_train.config import AugmentConfig
from triplet_train.training.augmentation.blur import blurred
from triplet_train.training.augmentation.colour import coloured
from triplet_train.training.augmentation.draws import Draws, draw
from triplet_train.training.augmentation.erasing import erased
from triplet_train.training.augmentation.geometry import moved

Augment = Callable[[tf.Tensor, tf.Tensor, tf.Tensor, int], tf.Tensor]


def make_augmentation(settings: AugmentConfig) -> Augment | None:
    """Return a function of (images, key, rows, B) that augments images; None if all is off.

    Its arguments are images, uint8 [n, H, W, C]; the key of the step; the rows [n] of the images in
    the batch; and the size B of the batch. The change of an image is a function of
    (seed, step, row), independent of the other images.
    """
    if not any(settings.model_dump().values()):
        return None

    def augment(images: tf.Tensor, key: tf.Tensor, rows: tf.Tensor, total: int) -> tf.Tensor:
        return augmented(settings, images, draw(key, total), rows)

    return augment


def augmented(
    settings: AugmentConfig, images: tf.Tensor, draws: Draws, rows: tf.Tensor
) -> tf.Tensor:
    """Move pixels, change colours, blur, and erase rectangles, by the given numbers.

    Computed in float32 for any precision of the tower, and rounded once. Costs O(n H W C), and
    `blur` times as much for blurring; an option that is off costs nothing.

    Args:
        images: uint8 [n, H, W, C], of a static shape.
        draws: for the whole batch, since a sine can differ in its last bit if it is computed
            together with other numbers.
        rows: [n], the index of each image in `draws`.

    Returns:
        uint8 [n, H, W, C].
    """
    pixels = moved(settings, images, draws, rows)
    for change in (coloured, blurred):
        pixels = change(settings, pixels, draws, rows)
    changed = tf.cast(tf.round(tf.clip_by_value(pixels, 0.0, 255.0)), tf.uint8)
    return erased(settings, changed, draws, rows)
