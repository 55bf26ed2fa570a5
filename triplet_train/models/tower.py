"""Building of an embedding tower, which maps raw uint8 images to unit vectors."""

from collections.abc import Callable
from importlib import import_module

import keras

from triplet_train.config import ModelConfig
from triplet_train.registry import APPLICATIONS, BACKBONE

# `features` of a tower's file. Arguments: images uint8 [N, H, W, C]; the `model` section of a
# configuration; the dtype policy of all layers. Returns features [N, F] or maps [N, h, w, F].
Features = Callable[[keras.KerasTensor, ModelConfig, keras.DTypePolicy], keras.KerasTensor]
# Momentum of moving averages. Keras has up to 0.9997 in some networks, for runs of a million steps;
# after 200 steps the averages would still be close to their initial values.
_MOMENTUM = 0.99
_LEAST = 1e-6  # value of a map in the generalised mean, as published
_SHORTEST = 1e-12  # epsilon of keras.layers.UnitNormalization


def build_tower(
    model: ModelConfig,
    image_shape: tuple[int, int, int],
    precision: str = "float32",
    synchronized: bool = False,
) -> keras.Model:
    """Build a backbone, followed by its head: pooling, dropout, a dense layer, L2 normalisation.

    The layer named `BACKBONE` is the backbone, a model of its own: `tower.get_layer(BACKBONE)` has
    its layers and variables. The head has all other variables of the tower. The backbone scales the
    pixels itself, so that the saved model takes images as they are in the data set. Vectors are
    normalised in float32 under every precision; their length is 1 to 1e-7.

    Args:
        model: the `model` section of a configuration.
        image_shape: (H, W, C).
        precision: a Keras dtype policy for everything but the L2 normalisation.
        synchronized: True computes the statistics of batch normalisation over all replicas.

    Returns:
        uint8 [N, H, W, C] -> float32 [N, embedding_dim].

    Raises:
        RequestError: a backbone does not take images of this shape, or its weights cannot be
            loaded.
    """
    layers = keras.layers
    policy = keras.DTypePolicy(precision)
    images = keras.Input(image_shape, dtype="uint8", name="image")
    backbone = keras.Model(images, _features(model.tower)(images, model, policy), name=BACKBONE)
    for layer in all_layers(backbone):
        if isinstance(layer, layers.BatchNormalization):
            layer.synchronized = synchronized
            layer.momentum = min(layer.momentum, _MOMENTUM)
    images = keras.Input(image_shape, dtype="uint8", name="image")
    x = backbone(images)
    if len(x.shape) == 4:
        x = _pooled(x, model.pooling, policy)
    if model.dropout:
        x = layers.Dropout(model.dropout, dtype=policy)(x)
    x = layers.Dense(model.embedding_dim, dtype=policy)(x)
    return keras.Model(images, _unit_length(x), name="embedder")


def all_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Return the layers of a model, and those inside them, such as the layers of a block."""
    layers: list[keras.layers.Layer] = model._flatten_layers(include_self=False)
    return layers


def _pooled(
    maps: keras.KerasTensor, pooling: str | None, policy: keras.DTypePolicy
) -> keras.KerasTensor:
    """Return the average, maximum or generalised mean of each map of [N, h, w, F], as [N, F].

    The generalised mean of values x is the mean of x^3 to the power of 1/3, with x at least 1e-6.
    Source: Radenovic, Tolias & Chum, Fine-tuning CNN Image Retrieval with No Human Annotation (IEEE
    TPAMI 2019), whose results hardly differ between the exponent 3 and a learned one. A learned one
    would need a layer of this package, which safe mode does not load. Cubes exceed float16, so the
    mean is taken in float32.
    """
    if pooling == "max":
        return keras.layers.GlobalMaxPooling2D(dtype=policy)(maps)
    if pooling != "gem":
        return keras.layers.GlobalAveragePooling2D(dtype=policy)(maps)
    ops = keras.ops
    x = ops.maximum(ops.cast(maps, "float32"), _LEAST)
    return ops.power(ops.mean(x * x * x, axis=(1, 2)), 1 / 3)


def _unit_length(x: keras.KerasTensor) -> keras.KerasTensor:
    """Divide each vector of [N, D] by its length, or by 1e-12 if it is shorter, in float32.

    The result is that of `keras.layers.UnitNormalization`, whose gradient at the zero vector is
    1e12 or NaN (keras#23075). The gradient here is 0. One black image gives a zero vector in a
    tower whose biases are zero, and must not dominate a step. All operations are Keras's own, so
    that the saved tower loads in safe mode without this package.
    """
    ops = keras.ops
    x = ops.cast(x, "float32")
    squared = ops.sum(ops.square(x), axis=-1, keepdims=True)
    factor = ops.rsqrt(ops.maximum(squared, _SHORTEST**2))
    factor = ops.where(ops.any(x, axis=-1, keepdims=True), factor, 0.0)
    return keras.layers.Multiply(dtype="float32", name="embedding")([x, factor])


def _features(tower: str) -> Features:
    """Import the function `features` of a tower; see `registry.TOWERS`."""
    file = "applications" if tower in APPLICATIONS else tower
    features: Features = import_module(f"triplet_train.models.towers.{file}").features
    return features
