"""Networks of keras.applications to save weights of, and a tower that is too large."""

import keras
import numpy as np
import tensorflow as tf


def application(name, channels=3):
    """At random weights, its moving averages those of some images, so that features differ."""
    network = getattr(keras.applications, name)(
        include_top=False, weights=None, pooling="avg", input_shape=(32, 32, channels)
    )
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    network(np.random.default_rng(1).normal(size=(8, 32, 32, channels)), training=True)
    return network


class TooLarge:
    """Takes the place of a tower for which there is not enough memory."""

    input_shape = (None, 4, 4, 1)

    def __call__(self, images, training):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating\n a tensor")
