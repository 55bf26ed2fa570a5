"""The embedding tower: raw uint8 image -> vector of length one."""

import keras

from triplet_train.config import ModelConfig


def build_tower(
    model: ModelConfig,
    image_shape: tuple[int, int, int],
    precision: str = "float32",
    synchronized: bool = False,
) -> keras.Model:
    """A CNN: scaling to [0, 1], conv blocks, dense, unit normalisation.

    Scaling is a layer, so that the saved model takes images as they are in the data set; the last
    layer computes in float32 under any precision, so that vectors are of unit length to 1e-7.

    Args:
        model: the `model` section of a configuration.
        image_shape: (H, W, C).
        precision: a Keras dtype policy for all but the last layer.
        synchronized: whether batch normalisation takes its statistics over all replicas, as one
            device with the whole batch would.

    Returns:
        uint8 [N, H, W, C] -> float32 [N, embedding_dim].
    """
    layers = keras.layers
    policy = keras.DTypePolicy(precision)
    images = keras.Input(image_shape, dtype="uint8", name="image")
    x = layers.Rescaling(1 / 255, dtype=policy)(images)
    for width in model.filters:
        # Batch normalisation has a shift of its own, which makes the convolution's bias redundant.
        x = layers.Conv2D(width, 3, padding="same", use_bias=not model.batch_norm, dtype=policy)(x)
        if model.batch_norm:
            x = layers.BatchNormalization(synchronized=synchronized, dtype=policy)(x)
        x = layers.ReLU(dtype=policy)(x)
        x = layers.MaxPooling2D(padding="same", dtype=policy)(x)
    x = layers.Flatten(dtype=policy)(x)
    if model.dropout:
        x = layers.Dropout(model.dropout, dtype=policy)(x)
    x = layers.Dense(model.embedding_dim, dtype=policy)(x)
    x = layers.UnitNormalization(dtype="float32", name="embedding")(x)
    return keras.Model(images, x, name="embedder")
