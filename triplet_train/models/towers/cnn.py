"""A plain convolutional network."""

import keras

from triplet_train.config import ModelConfig


def features(
    images: keras.KerasTensor, model: ModelConfig, policy: keras.DTypePolicy
) -> keras.KerasTensor:
    """Scale pixels to [0, 1], then apply convolution, pooling and ReLU per entry of `filters`.

    Pooling comes before ReLU, which commutes with the maximum, so that normalisation and ReLU
    process a quarter of the pixels.

    `tower.Features` describes the arguments. Returns the flattened maps of the last block, [N, F],
    or the maps [N, h, w, F] if `pooling` is given.
    """
    assert model.filters  # filled in by the schema
    layers = keras.layers
    x = layers.Rescaling(1 / 255, dtype=policy)(images)
    for width in model.filters:
        # The shift of batch normalisation makes the bias of the convolution redundant.
        x = layers.Conv2D(width, 3, padding="same", use_bias=not model.batch_norm, dtype=policy)(x)
        x = layers.MaxPooling2D(padding="same", dtype=policy)(x)
        if model.batch_norm:
            x = layers.BatchNormalization(dtype=policy)(x)
        x = layers.ReLU(dtype=policy)(x)
    return x if model.pooling else layers.Flatten(dtype=policy)(x)
