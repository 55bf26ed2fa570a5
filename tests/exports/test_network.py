"""The network that is exported."""

import keras
import numpy as np
import pytest

from triplet_train.config import ModelConfig
from triplet_train.exports.network import exported_network
from triplet_train.models.tower import all_layers, build_tower

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 12, 10, 3), np.uint8)


@pytest.mark.parametrize("tower", ["cnn", "resnet"])
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_a_tower_of_mixed_precision_computes_in_float32_with_the_same_weights(tower, precision):
    model = ModelConfig(tower=tower, filters=[4], embedding_dim=5, dropout=0.1)
    mixed = build_tower(model, IMAGES.shape[1:], precision)
    plain = build_tower(model, IMAGES.shape[1:])
    plain.set_weights(mixed.get_weights())
    network = exported_network(mixed)
    assert {layer.compute_dtype for layer in all_layers(network)} == {"float32"}
    np.testing.assert_array_equal(network(IMAGES), plain(IMAGES))


def test_a_foreign_tower_that_takes_floating_point_pixels_takes_uint8():
    layers = [keras.Input((12, 10, 3)), keras.layers.Flatten(), keras.layers.Dense(4)]
    tower = keras.Sequential(layers)
    network = exported_network(tower)
    assert network.inputs[0].dtype == "uint8"
    np.testing.assert_array_equal(network(IMAGES), tower(IMAGES.astype(np.float32)))
