"""A small residual network with batch normalisation, for small images.

Source: He, Zhang, Ren & Sun, Deep Residual Learning for Image Recognition (CVPR 2016), section 4.2
(CIFAR-10), with two blocks per stage and a projection where the shape changes (their option B).
"""

from functools import partial

import keras

from triplet_train.config import ModelConfig

_BLOCKS = 2  # per stage


def features(
    images: keras.KerasTensor, model: ModelConfig, policy: keras.DTypePolicy
) -> keras.KerasTensor:
    """Scale pixels to [0, 1], then apply a convolution and a stage per entry of `filters`.

    Every stage but the first halves height and width, rounded up, so images may have any size.

    `tower.Features` describes the arguments. Returns the maps of the last block,
    [N, h, w, filters[-1]].
    """
    assert model.filters  # filled in by the schema
    layers = keras.layers
    normalized = partial(_normalized, policy=policy)
    x = layers.Rescaling(1 / 255, dtype=policy)(images)
    x = layers.ReLU(dtype=policy)(normalized(x, model.filters[0], 3, 1))
    for stage, width in enumerate(model.filters):
        for block in range(_BLOCKS):
            stride = 2 if stage and not block else 1
            shortcut = x
            if stride > 1 or x.shape[-1] != width:
                shortcut = normalized(x, width, 1, stride)
            x = layers.ReLU(dtype=policy)(normalized(x, width, 3, stride))
            x = normalized(x, width, 3, 1)
            x = layers.ReLU(dtype=policy)(layers.Add(dtype=policy)([x, shortcut]))
    return x


def _normalized(
    x: keras.KerasTensor,
    width: int,
    size: int,
    stride: int,
    *,
    policy: keras.DTypePolicy,
) -> keras.KerasTensor:
    """Apply a convolution without bias, which is redundant, and batch normalisation."""
    x = keras.layers.Conv2D(
        width,
        size,
        stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        dtype=policy,
    )(x)
    return keras.layers.BatchNormalization(dtype=policy)(x)
