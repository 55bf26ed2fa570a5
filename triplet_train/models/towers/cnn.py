"""A plain CNN."""

import keras

from triplet_train.config import ModelConfig


def features(
    images: keras.KerasTensor, model: ModelConfig, policy: keras.DTypePolicy, synchronized: bool
) -> keras.KerasTensor:
    """Scaling to [0, 1], then a block of convolution, pooling and ReLU for each of `filters`.

    uint8 [N, H, W, C] -> [N, F], every place of the last block's maps. Pooling comes first, since
    a quarter of the places is left to normalise and to cut off; ReLU and maximum commute.
    """
    assert model.filters  # the schema fills them in
    layers = keras.layers
    x = layers.Rescaling(1 / 255, dtype=policy)(images)
    for width in model.filters:
        # Batch normalisation has a shift of its own, which makes the convolution's bias redundant.
        x = layers.Conv2D(width, 3, padding="same", use_bias=not model.batch_norm, dtype=policy)(x)
        x = layers.MaxPooling2D(padding="same", dtype=policy)(x)
        if model.batch_norm:
            x = layers.BatchNormalization(synchronized=synchronized, dtype=policy)(x)
        x = layers.ReLU(dtype=policy)(x)
    return layers.Flatten(dtype=policy)(x)
