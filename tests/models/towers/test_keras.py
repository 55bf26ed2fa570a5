"""A saved Keras model as backbone."""

import keras
import numpy as np
import pytest

from triplet_train.config import ModelConfig
from triplet_train.errors import RequestError
from triplet_train.models.tower import all_layers, build_tower
from triplet_train.registry import BACKBONE

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 12, 10, 3), np.uint8)
LAYERS = keras.layers


def saved(folder, *layers, shape=(None, None, 3), dtype="float32"):
    file = folder / "network.keras"
    keras.Sequential([keras.Input(shape, dtype=dtype), *layers]).save(file)
    return str(file)


def network(*first):
    return [*first, LAYERS.Conv2D(4, 3), LAYERS.BatchNormalization(), LAYERS.ReLU()]


@pytest.mark.parametrize(
    "name, expected",
    [("0-255", lambda x: x), ("0-1", lambda x: x / 255), ("-1-1", lambda x: x / 127.5 - 1)],
)
def test_a_network_gets_pixels_in_the_range_that_it_expects(tmp_path, name, expected):
    file = saved(tmp_path, LAYERS.Identity())
    model = ModelConfig(tower="keras", backbone=file, input_range=name)
    backbone = build_tower(model, (12, 10, 3)).get_layer(BACKBONE)
    np.testing.assert_allclose(backbone(IMAGES), expected(IMAGES.astype(np.float32)), atol=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_a_tower_computes_the_features_of_the_file_in_the_precision_of_the_run(
    tmp_path, dtype, precision
):
    file = saved(tmp_path, *network(LAYERS.Rescaling(1 / 255)), dtype=dtype)
    tower = build_tower(ModelConfig(tower="keras", backbone=file), (12, 10, 3), precision, True)
    backbone = tower.get_layer(BACKBONE)
    rough = precision != "float32"
    given = np.asarray(backbone(IMAGES), np.float32)
    np.testing.assert_allclose(
        given, keras.models.load_model(file)(IMAGES), atol=2e-2 if rough else 1e-6
    )
    (convolution,) = (la for la in all_layers(tower) if type(la).__name__ == "Conv2D")
    assert convolution.compute_dtype == keras.DTypePolicy(precision).compute_dtype
    (normalisation,) = (la for la in all_layers(tower) if "BatchNorm" in type(la).__name__)
    assert normalisation.synchronized
    tower.save(tmp_path / "embedder.keras")
    loaded = keras.models.load_model(tmp_path / "embedder.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(IMAGES), tower(IMAGES))


def test_layers_that_were_frozen_when_saved_are_trained(tmp_path):
    inside = keras.Sequential([LAYERS.Rescaling(1 / 255), LAYERS.Conv2D(4, 3)])
    inside.trainable = False
    file = saved(tmp_path, inside, LAYERS.GlobalMaxPooling2D())
    tower = build_tower(ModelConfig(tower="keras", backbone=file), (12, 10, 3))
    assert len(tower.trainable_variables) == 4


def test_of_an_embedder_only_its_backbone_is_taken(tmp_path):
    first = build_tower(ModelConfig(filters=[4], batch_norm=True), (12, 10, 3), "mixed_bfloat16")
    first.save(tmp_path / "embedder.keras")
    model = ModelConfig(tower="keras", backbone=str(tmp_path / "embedder.keras"), embedding_dim=5)
    again = build_tower(model, (12, 10, 3), "mixed_bfloat16")
    assert len(again.weights) == len(first.weights) and again.output_shape == (None, 5)
    for one, other in zip(again.weights[:-2], first.weights[:-2], strict=True):
        np.testing.assert_array_equal(one, other)
    backbones = (tower.get_layer(BACKBONE)(IMAGES) for tower in (again, first))
    np.testing.assert_array_equal(*(np.asarray(x, np.float32) for x in backbones))


def test_a_vector_is_not_pooled_and_tokens_are_no_features(tmp_path):
    file = saved(tmp_path, LAYERS.Rescaling(1 / 255), LAYERS.GlobalMaxPooling2D())
    with pytest.raises(RequestError, match=r"model\.pooling: .* returns vectors \(None, 3\)"):
        build_tower(ModelConfig(tower="keras", backbone=file, pooling="gem"), (12, 10, 3))
    file = saved(tmp_path, LAYERS.Rescaling(1 / 255), LAYERS.Reshape((-1, 3)), shape=(12, 10, 3))
    with pytest.raises(RequestError, match=r"returns \(None, 120, 3\), not vectors"):
        build_tower(ModelConfig(tower="keras", backbone=file), (12, 10, 3))


def test_images_that_do_not_fit_are_refused(tmp_path):
    file = saved(tmp_path, *network(LAYERS.Rescaling(1 / 255)))
    with pytest.raises(RequestError, match=r"set data\.channels: 3"):
        build_tower(ModelConfig(tower="keras", backbone=file), (12, 10, 1))


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_a_real_network_gives_its_own_features_and_loads_in_safe_mode(
    pretrained, tmp_path, precision
):
    images = np.random.default_rng(0).integers(0, 256, (4, 64, 48, 3), np.uint8)
    model = ModelConfig(tower="keras", backbone=str(pretrained))
    tower = build_tower(model, (64, 48, 3), precision)
    expected = keras.models.load_model(pretrained)(images).numpy()
    given = np.asarray(tower.get_layer(BACKBONE)(images), np.float32)
    atol = {"float32": 1e-5, "mixed_float16": 0.05, "mixed_bfloat16": 0.5}[precision]
    np.testing.assert_allclose(given, expected, atol=atol)
    tower.save(tmp_path / "embedder.keras")
    loaded = keras.models.load_model(tmp_path / "embedder.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(images), tower(images))
