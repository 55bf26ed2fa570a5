"""Networks of keras.applications to save weights of, and a tower that is too large."""

import keras
import numpy as np
import tensorflow as tf


def application(name, channels=3):
    """A network of random weights, whose moving averages are those of images: features differ."""
    network = getattr(keras.applications, name)(
        include_top=False, weights=None, pooling="avg", input_shape=(32, 32, channels)
    )
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    network(np.random.default_rng(1).normal(size=(8, 32, 32, channels)), training=True)
    return network


class TooLarge:
    """A tower that needs more memory than there is."""

    input_shape = (None, 4, 4, 1)

    def __call__(self, images, training):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating\n a tensor")
