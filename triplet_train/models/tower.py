"""The embedding tower: raw uint8 image -> vector of length one."""

from collections.abc import Callable
from importlib import import_module

import keras

from triplet_train.config import ModelConfig
from triplet_train.registry import APPLICATIONS

# Images uint8 [N, H, W, C], the section of the configuration, the policy of all layers, whether
# batch normalisation is over all replicas -> [N, F].
Features = Callable[[keras.KerasTensor, ModelConfig, keras.DTypePolicy, bool], keras.KerasTensor]
_SHORTEST = 1e-12  # as in keras.layers.UnitNormalization


def build_tower(
    model: ModelConfig,
    image_shape: tuple[int, int, int],
    precision: str = "float32",
    synchronized: bool = False,
) -> keras.Model:
    """A backbone, which scales the images itself, then dropout, dense and unit normalisation.

    Scaling is a layer, so that the saved model takes images as they are in the data set. Vectors
    are normalised in float32 under any precision, so that they are of unit length to 1e-7.

    Args:
        model: the `model` section of a configuration.
        image_shape: (H, W, C).
        precision: a Keras dtype policy for all but the normalisation.
        synchronized: whether batch normalisation takes its statistics over all replicas, as one
            device with the whole batch would.

    Returns:
        uint8 [N, H, W, C] -> float32 [N, embedding_dim].

    Raises:
        RequestError: a network of keras.applications does not take such images, or its weights
            cannot be loaded.
    """
    layers = keras.layers
    policy = keras.DTypePolicy(precision)
    images = keras.Input(image_shape, dtype="uint8", name="image")
    x = _features(model.tower)(images, model, policy, synchronized)
    if model.dropout:
        x = layers.Dropout(model.dropout, dtype=policy)(x)
    x = layers.Dense(model.embedding_dim, dtype=policy)(x)
    return keras.Model(images, _unit_length(x), name="embedder")


def _unit_length(x: keras.KerasTensor) -> keras.KerasTensor:
    """Each vector divided by its length; vectors shorter than 1e-12, by 1e-12. In float32.

    The vectors are those of `keras.layers.UnitNormalization`, whose gradient at the zero vector is
    1e12 or NaN (keras#23075). Here it is 0: one black image gives a zero vector in a tower whose
    biases are zero, and must not decide a step. Made of Keras's own operations, so that the saved
    tower loads in safe mode without this package.

    [N, D] -> float32 [N, D].
    """
    ops = keras.ops
    x = ops.cast(x, "float32")
    squared = ops.sum(ops.square(x), axis=-1, keepdims=True)
    factor = ops.rsqrt(ops.maximum(squared, _SHORTEST**2))
    factor = ops.where(ops.any(x, axis=-1, keepdims=True), factor, 0.0)
    return keras.layers.Multiply(dtype="float32", name="embedding")([x, factor])


def _features(tower: str) -> Features:
    """`features` of the tower's file; see `registry.TOWERS`."""
    file = "applications" if tower in APPLICATIONS else tower
    features: Features = import_module(f"triplet_train.models.towers.{file}").features
    return features
