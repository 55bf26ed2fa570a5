"""Images, augmented."""

import numpy as np
import tensorflow as tf

from triplet_train.config import AugmentConfig
from triplet_train.training.augmentation import make_augmentation
from triplet_train.training.augmentation.augment import augmented
from triplet_train.training.augmentation.draws import Draws
from triplet_train.training.randomness import step_key

RANDOM = np.random.default_rng(0)
STRONG_IN_GREY = AugmentConfig(
    crop=0.7,
    rotate=180.0,
    shift=0.5,
    zoom=0.5,
    shear=0.9,
    flip="both",
    brightness=0.4,
    contrast=0.9,
    blur=1.2,
    erase=0.5,
)
STRONG = AugmentConfig(
    **STRONG_IN_GREY.model_dump() | {"saturation": 0.8, "hue": 0.4, "grayscale": 0.3}
)


def noise(*shape):
    return RANDOM.integers(0, 256, shape, np.uint8)


def changed(config, images, **draws):
    """Images under the given draws. Those that are not given change nothing."""
    neutral = dict.fromkeys(Draws._fields, 0.5) | dict.fromkeys(["crop", "blur", "erase"], 0.0)
    columns = [
        tf.fill([len(images)], np.float32(value)) for value in ({**neutral, **draws}).values()
    ]
    rows = tf.range(len(images))
    return augmented(config, tf.constant(images), Draws(*columns), rows).numpy()


def augment(config, images, step=0, seed=0, rows=None, total=None):
    rows = np.arange(len(images)) if rows is None else rows
    key = step_key(seed, tf.constant(step))
    total = total or len(images)
    return make_augmentation(config)(tf.constant(images), key, tf.constant(rows), total).numpy()
