"""The networks of keras.applications as towers: scaling, and weights from a file."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.networks import application
from triplet_train.config import ModelConfig
from triplet_train.errors import RequestError
from triplet_train.models.tower import build_tower
from triplet_train.models.towers import applications
from triplet_train.models.towers.applications import _SCALING, _scaled
from triplet_train.registry import APPLICATIONS, BACKBONE, TOWERS
from triplet_train.training.step import _seed_states

COLOUR = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), np.uint8)
FAMILIES = {
    name: module
    for name, module in vars(keras.applications).items()
    if inspect.ismodule(module) and name != "imagenet_utils"
}


def backbone_of(tower):
    """The network of keras.applications, behind the scaling of the pixels."""
    (network,) = (la for la in tower.get_layer(BACKBONE).layers if isinstance(la, keras.Model))
    return network


def scaled(name, images):
    inputs = keras.Input(images.shape[1:], dtype="uint8")
    outputs = keras.layers.Identity()(_scaled(inputs, name))  # Keras 3.12 refuses inputs as outputs
    return keras.Model(inputs, outputs)(images)


@pytest.fixture(scope="module")
def mobilenet():
    return application("MobileNet")


@pytest.fixture(scope="module")
def weights(mobilenet, tmp_path_factory):
    """A file of MobileNet's weights."""
    file = tmp_path_factory.mktemp("weights") / "mobilenet.weights.h5"
    mobilenet.save_weights(file)
    return str(file)


@pytest.fixture(scope="module")
def efficientnet():
    """The network as published: with the standard deviation where Keras expects the variance."""
    network = application("EfficientNetB0")
    (layer,) = (la for la in network.layers if isinstance(la, keras.layers.Normalization))
    deviation = np.array([0.229, 0.224, 0.225])
    layer.set_weights([np.array([0.485, 0.456, 0.406]), deviation, np.array(0)])
    return network


@pytest.mark.parametrize("family", FAMILIES)
def test_every_network_gets_colour_images_as_its_preprocess_input_gives_them(family):
    module = FAMILIES[family]
    expected = module.preprocess_input(COLOUR.astype(np.float32))
    for name in (name for name in APPLICATIONS if hasattr(module, name)):
        np.testing.assert_allclose(scaled(name, COLOUR), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", APPLICATIONS)
def test_images_of_other_channels_are_scaled_to_1_unless_the_network_does_so(name):
    grey = COLOUR[..., :1]
    by_itself = name.startswith(("EfficientNet", "MobileNetV3"))
    expected = grey if by_itself else grey / 127.5 - 1
    np.testing.assert_allclose(scaled(name, grey), expected, atol=1e-6)


@pytest.mark.parametrize(
    "precision",
    [
        "mixed_bfloat16",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("float32", "mixed_float16")),
    ],
)
def test_an_application_computes_in_the_precision_of_the_run_and_leaves_the_default_as_it_was(
    precision,
):
    before = keras.config.dtype_policy()
    tower = build_tower(ModelConfig(tower="MobileNet", embedding_dim=7), (32, 32, 3), precision)
    assert keras.config.dtype_policy() == before
    expected = keras.DTypePolicy(precision).compute_dtype
    assert {layer.compute_dtype for layer in backbone_of(tower).layers[1:]} == {expected}
    vectors = tower(COLOUR, training=True)
    assert vectors.dtype == tf.float32 and vectors.shape == (6, 7)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_images_too_small_for_a_network_are_refused_and_leave_the_default_precision_as_it_was():
    before = keras.config.dtype_policy()
    with pytest.raises(RequestError, match=r"data\.image_size: Xception .* 70 x 80: .* 71x71"):
        build_tower(ModelConfig(tower="Xception"), (70, 80, 3), "mixed_bfloat16")
    assert keras.config.dtype_policy() == before


@pytest.mark.parametrize("synchronized", [pytest.param(False, marks=pytest.mark.slow), True])
def test_batch_normalisation_is_over_all_replicas_where_there_are_several(synchronized):
    tower = build_tower(ModelConfig(tower="MobileNet"), (32, 32, 3), synchronized=synchronized)
    layers = [la for la in backbone_of(tower).layers if "BatchNorm" in type(la).__name__]
    assert len(layers) == 27 and {layer.synchronized for layer in layers} == {synchronized}


@pytest.mark.slow
@pytest.mark.parametrize("name, momentum", [("MobileNetV2", 0.99), ("EfficientNetV2B0", 0.9)])
def test_moving_averages_settle_within_a_run_of_some_hundred_steps(name, momentum):
    tower = build_tower(ModelConfig(tower=name), (32, 32, 3))
    layers = [la for la in backbone_of(tower).layers if "BatchNorm" in type(la).__name__]
    assert {layer.momentum for layer in layers} == {momentum}


@pytest.mark.slow
def test_a_step_seeds_every_random_layer_of_a_backbone_and_of_the_head():
    tower = build_tower(ModelConfig(tower="EfficientNetB0", dropout=0.5), (32, 32, 3))
    layers = [*backbone_of(tower).layers, *tower.layers]
    random = [layer for layer in layers if isinstance(layer, keras.layers.Dropout)]
    assert len(random) == 10
    seeded = {id(state) for state in _seed_states(tower)}
    assert {id(layer.seed_generator.state) for layer in random} == seeded


@pytest.mark.parametrize("format", ["weights.h5", pytest.param("h5", marks=pytest.mark.slow)])
def test_weights_come_from_either_kind_of_file(mobilenet, tmp_path, format):
    file = tmp_path / f"network.{format}"
    mobilenet.save_weights(file) if format == "weights.h5" else mobilenet.save(file)
    tower = build_tower(ModelConfig(tower="MobileNet", weights=str(file)), (32, 32, 3))
    network = backbone_of(tower)
    for loaded, saved in zip(network.weights, mobilenet.weights, strict=True):
        np.testing.assert_array_equal(loaded, saved)
    assert network.trainable


@pytest.mark.parametrize(
    "kind",
    [
        *("empty", "half", "nan", "grey"),
        *(
            pytest.param(kind, marks=pytest.mark.slow)
            for kind in ("text", "folder", "other network", "other network.weights")
        ),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_its_path_and_what_was_expected(
    mobilenet, weights, tmp_path, kind
):
    file, channels = tmp_path / f"{kind}.h5", 3
    if kind == "text":
        file.write_text("no weights")
    elif kind == "empty":
        file.touch()
    elif kind == "folder":
        file.mkdir()
    elif kind == "half":
        with open(weights, "rb") as whole:
            file.write_bytes(whole.read(5_000_000))
    elif kind == "nan":  # like every weight that Keras does not find in the file
        last = mobilenet.weights[-1]
        before = last.numpy()
        last.assign(before * np.nan)
        mobilenet.save(file)
        last.assign(before)
    elif kind == "other network":
        application("VGG16").save(file)
    elif kind == "other network.weights":
        application("MobileNetV2").save_weights(file)
    else:
        mobilenet.save(file)
        channels = 1
    hint = "published files are for 3 channels" if kind == "grey" else ""
    expected = f"{file} does not hold the weights of MobileNet without its top .*{hint}"
    with pytest.raises(RequestError, match=expected):
        build_tower(ModelConfig(tower="MobileNet", weights=str(file)), (32, 32, channels))


def test_published_weights_are_taken_from_the_cache_of_keras_or_their_place_is_named(
    mobilenet, tmp_path, monkeypatch
):
    monkeypatch.setattr(applications, "keras_home", lambda: str(tmp_path))
    monkeypatch.setattr(applications.file_utils, "get_file", no_network)
    model = ModelConfig(tower="MobileNet", weights="imagenet")
    file = tmp_path / "models/mobilenet_1_0_224_tf_no_top.h5"
    before = keras.config.dtype_policy()
    with pytest.raises(RequestError, match=rf"no_top\.h5 in {file.parent}, .* copy it to {file}"):
        build_tower(model, (32, 32, 3), "mixed_bfloat16")
    assert applications.file_utils.get_file is no_network
    assert keras.config.dtype_policy() == before
    file.parent.mkdir()
    mobilenet.save(file)
    loaded = backbone_of(build_tower(model, (32, 32, 3)))
    for weight, saved in zip(loaded.weights, mobilenet.weights, strict=True):
        np.testing.assert_array_equal(weight, saved)


def no_network(name, url, **options):
    raise Exception(f"URL fetch failure on {url}: None -- [Errno -2] no such host")


def test_published_weights_are_for_colour_images():
    with pytest.raises(RequestError, match=r"not 1; set data\.channels: 3"):
        applications.published_weights("MobileNet", (32, 32, 1))


@pytest.mark.slow
@pytest.mark.parametrize("name", APPLICATIONS)
def test_keras_publishes_weights_for_every_network(name):
    weights = applications.published_weights(name, (224, 224, 3))
    assert weights.url.startswith("https://storage.googleapis.com/tensorflow/keras-app") or (
        weights.url.startswith("https://storage.googleapis.com/keras-applications/")
    )
    assert weights.file.name.endswith(".h5") and "no" in weights.file.name
    assert weights.file.parent.name == "models" and weights.options["cache_subdir"] == "models"


@pytest.mark.slow
@pytest.mark.parametrize("format", ["weights.h5", "h5"])
def test_published_weights_of_efficientnet_give_the_features_of_keras(
    efficientnet, tmp_path, monkeypatch, format
):
    """Keras mends the variance in what it downloads."""
    efficientnet.save(tmp_path / "published.h5")
    published = str(tmp_path / "published.h5")
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", lambda *_, **__: published)
    kerass = keras.applications.EfficientNetB0(include_top=False, pooling="avg")
    if format == "weights.h5":
        kerass.save_weights(tmp_path / "published.weights.h5")
    model = ModelConfig(tower="EfficientNetB0", weights=str(tmp_path / f"published.{format}"))
    loaded = backbone_of(build_tower(model, (32, 32, 3)))
    given, expected = (
        keras.Model(network.input, network.get_layer("stem_conv").output)(COLOUR)
        for network in (loaded, kerass)
    )
    np.testing.assert_allclose(given, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", APPLICATIONS)
def test_every_application_builds_draws_by_seed_alone_and_loads_in_safe_mode(name, tmp_path):
    size = {"Xception": 71, "InceptionV3": 75, "InceptionResNetV2": 75}.get(name, 32)
    images = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), np.uint8)

    def build():
        return build_tower(ModelConfig(tower=name, embedding_dim=5), images.shape[1:])

    tower = build()
    network = backbone_of(tower)
    kinds = [type(layer).__name__ for layer in network.layers]
    assert ("BatchNormalization" in kinds) == TOWERS[name].batch_norm
    assert (name in _SCALING) != bool({"Rescaling", "Normalization"} & set(kinds[:4]))

    def trained():
        for state in _seed_states(tower):
            state.assign(tf.ones_like(state))
        return tower(images, training=True).numpy()

    np.testing.assert_array_equal(trained(), trained())
    np.testing.assert_allclose(np.linalg.norm(trained(), axis=1), 1, atol=1e-6)
    tower.save(tmp_path / "embedder.keras")
    loaded = keras.models.load_model(tmp_path / "embedder.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(images), tower(images))
    fresh = build()
    fresh.set_weights(loaded.get_weights())  # like a resumed run
    np.testing.assert_array_equal(fresh(images), tower(images))
