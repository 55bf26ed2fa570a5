"""Networks of keras.applications to save weights of."""

import keras
import numpy as np


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
