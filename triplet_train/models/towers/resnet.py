"""A small residual network with batch normalisation, for small images.

He, Zhang, Ren and Sun, Deep Residual Learning for Image Recognition (CVPR 2016): their networks for
CIFAR-10 (section 4.2), here with two blocks per stage and a projection where the shape changes
(their option B).
"""

from functools import partial

import keras

from triplet_train.config import ModelConfig

_BLOCKS = 2  # per stage


def features(
    images: keras.KerasTensor, model: ModelConfig, policy: keras.DTypePolicy, synchronized: bool
) -> keras.KerasTensor:
    """Scaling to [0, 1], a convolution, a stage for each of `filters`, the mean over all places.

    Every stage but the first halves height and width, rounding up, so that any image will do.

    uint8 [N, H, W, C] -> [N, filters[-1]].
    """
    assert model.filters  # the schema fills them in
    layers = keras.layers
    normalized = partial(_normalized, policy=policy, synchronized=synchronized)
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
    return layers.GlobalAveragePooling2D(dtype=policy)(x)


def _normalized(
    x: keras.KerasTensor,
    width: int,
    size: int,
    stride: int,
    *,
    policy: keras.DTypePolicy,
    synchronized: bool,
) -> keras.KerasTensor:
    """A convolution and batch normalisation, whose shift makes the convolution's bias redundant."""
    x = keras.layers.Conv2D(
        width,
        size,
        stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        dtype=policy,
    )(x)
    return keras.layers.BatchNormalization(synchronized=synchronized, dtype=policy)(x)
