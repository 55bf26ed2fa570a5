"""Networks of KerasHub as backbones, from tiny presets that the tests save."""

import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.processes import in_processes
from triplet_train.config import LossConfig, ModelConfig, OptimizerConfig
from triplet_train.errors import RequestError
from triplet_train.losses.mining.strategy import make_strategy
from triplet_train.models import hub
from triplet_train.models.embedder import load_embedder
from triplet_train.models.tower import build_tower
from triplet_train.registry import BACKBONE
from triplet_train.training.devices import Devices
from triplet_train.training.optimizers import make_optimizer
from triplet_train.training.step import make_step

keras_hub = pytest.importorskip("keras_hub", reason="the extra hub is not installed")
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), np.uint8)
VIT = {"patch_size": 8, "num_layers": 1, "num_heads": 2, "hidden_dim": 8}
DINO = VIT | {"intermediate_dim": 16, "image_shape": (16, 16, 3)}
NETWORKS = {
    "ViT": lambda m: m.ViTBackbone(image_shape=(16, 16, 3), mlp_dim=16, **VIT),
    "DINOV2": lambda m: m.DINOV2Backbone(
        **DINO, num_register_tokens=2, position_embedding_shape=(32, 32, 3)
    ),
    "DINOV3": lambda m: m.DINOV3Backbone(**DINO),
    "DeiT": lambda m: m.DeiTBackbone(image_shape=(16, 16, 3), intermediate_dim=16, **VIT),
    "ResNet": lambda m: m.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64],
        stackwise_num_blocks=[1],
        stackwise_num_strides=[1],
        block_type="basic_block",
    ),
    "SigLIP": lambda m: m.SigLIPBackbone(
        m.SigLIPVisionEncoder(intermediate_dim=16, image_shape=(16, 16, 3), **VIT),
        m.SigLIPTextEncoder(
            vocabulary_size=9,
            embedding_dim=8,
            hidden_dim=8,
            num_layers=1,
            num_heads=2,
            intermediate_dim=16,
            max_sequence_length=4,
        ),
    ),
}
EACH = [pytest.param(n, marks=[pytest.mark.slow] * (n != "ViT")) for n in NETWORKS]
SCALE, OFFSET = [0.02, 0.015, 0.01], [-2.0, -1.0, -0.5]


def save_preset(folder, name, converter=True):
    """The network, saved with scaling of its own."""
    keras.utils.set_random_seed(0)
    network = NETWORKS[name](keras_hub.models)
    network.save_to_preset(str(folder))
    if converter:
        kind = getattr(keras_hub.layers, f"{name}ImageConverter")
        kind(image_size=(16, 16), scale=SCALE, offset=OFFSET).save_to_preset(str(folder))
    return network


def expected(network, images):
    """Tokens, maps or vectors of the network, scaled by KerasHub's own converter."""
    converter = keras_hub.layers.ImageConverter(scale=SCALE, offset=OFFSET)
    network = getattr(network, "vision_encoder", network)
    x = np.asarray(converter(images.astype(np.float32)))
    x = {name: x for name in network.input} if isinstance(network.input, dict) else x
    return np.asarray(network(x))


def model_of(folder, **options):
    return ModelConfig(tower="keras_hub", backbone=str(folder), embedding_dim=5, **options)


@pytest.mark.parametrize("name", EACH)
def test_a_preset_gives_its_own_features_of_its_own_scaling_and_loads_again(tmp_path, name):
    network = save_preset(tmp_path / "preset", name)
    tower = build_tower(model_of(tmp_path / "preset"), (16, 16, 3))
    features = np.asarray(tower.get_layer(BACKBONE)(IMAGES))
    own = expected(network, IMAGES)
    own = own[:, 0] if own.ndim == 3 else own
    np.testing.assert_allclose(features, own, rtol=1e-4, atol=1e-5)
    tower.save(tmp_path / "embedder.keras")
    np.testing.assert_allclose(
        load_embedder(tmp_path / "embedder.keras")(IMAGES), tower(IMAGES), atol=1e-6
    )
    again = ModelConfig(tower="keras", backbone=str(tmp_path / "embedder.keras"), embedding_dim=5)
    resumed = build_tower(again, (16, 16, 3))  # as a resumed run builds it
    resumed.set_weights(tower.get_weights())
    np.testing.assert_array_equal(resumed(IMAGES), tower(IMAGES))


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_a_preset_computes_in_the_precision_of_the_run(tmp_path, name):
    save_preset(tmp_path / "preset", name)
    tower = build_tower(model_of(tmp_path / "preset"), (16, 16, 3), "mixed_bfloat16")
    policies = {layer.compute_dtype for layer in tower.get_layer(BACKBONE)._flatten_layers()}
    assert "bfloat16" in policies
    vectors = tower(IMAGES, training=True)
    assert vectors.dtype == "float32"
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    tower.save(tmp_path / "embedder.keras")
    loaded = load_embedder(tmp_path / "embedder.keras")
    np.testing.assert_array_equal(loaded(IMAGES), tower(IMAGES))


@pytest.mark.slow
@pytest.mark.parametrize("pooling", ["avg", "max"])
def test_tokens_are_pooled_over_the_patches_if_asked_for(tmp_path, pooling):
    network = save_preset(tmp_path / "preset", "DINOV2")
    tower = build_tower(model_of(tmp_path / "preset", pooling=pooling), (16, 16, 3))
    pooled = keras.Model(tower.input, tower.layers[-2].input)(IMAGES)
    patches = expected(network, IMAGES)[:, 3:]  # after the class token and two registers
    own = patches.mean(axis=1) if pooling == "avg" else patches.max(axis=1)
    np.testing.assert_allclose(pooled, own, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_dinov2_takes_images_of_another_size(tmp_path):
    save_preset(tmp_path / "preset", "DINOV2")
    tower = build_tower(model_of(tmp_path / "preset"), (32, 32, 3))
    assert tower(np.zeros((1, 32, 32, 3), np.uint8)).shape == (1, 5)


@pytest.mark.slow
def test_images_that_a_preset_does_not_take_name_the_key(tmp_path):
    save_preset(tmp_path / "preset", "ViT")
    with pytest.raises(RequestError, match=r"set data\.image_size: \[16, 16\]"):
        build_tower(model_of(tmp_path / "preset"), (24, 16, 3))
    with pytest.raises(RequestError, match=r"set data\.channels: 3"):
        build_tower(model_of(tmp_path / "preset"), (16, 16, 1))


@pytest.mark.slow
def test_a_preset_that_is_missing_or_incomplete_is_refused(tmp_path):
    save_preset(tmp_path / "preset", "ViT", converter=False)
    with pytest.raises(RequestError, match=r"preset cannot be loaded: .*image_converter\.json"):
        build_tower(model_of(tmp_path / "preset"), (16, 16, 3))
    with pytest.raises(RequestError, match="nowhere is neither a preset"):
        build_tower(model_of(tmp_path / "nowhere"), (16, 16, 3))
    with pytest.raises(RequestError, match="did you mean vit_base_patch16_224_imagenet"):
        build_tower(model_of("vit_base_patch16_224_imagnet"), (16, 16, 3))


def load_without_keras_hub(file):
    sys.modules["keras_hub"] = None
    hub.find_spec = lambda name: None
    load_embedder(file)


@pytest.mark.slow
def test_loading_where_kerashub_is_missing_names_the_extra(tmp_path):
    save_preset(tmp_path / "preset", "ViT")
    build_tower(model_of(tmp_path / "preset"), (16, 16, 3)).save(tmp_path / "embedder.keras")
    (error,) = in_processes(load_without_keras_hub, (tmp_path / "embedder.keras",))
    assert isinstance(error, RequestError)
    assert "needs KerasHub; install it with: pip install 'triplet-train[hub]'" in str(error)


@pytest.mark.slow
def test_a_step_trains_a_transformer_at_once_as_in_microbatches(tmp_path):
    """Its positions are looked up, which gives sparse gradients, and its mask token is not used."""
    save_preset(tmp_path / "preset", "DINOV2")
    images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), np.uint8)
    labels = tf.constant([0, 0, 0, 0, 1, 1, 1, 1])
    after = []
    for microbatch in (None, 4):
        keras.utils.set_random_seed(0)
        tower = build_tower(model_of(tmp_path / "preset"), (16, 16, 3))
        before = tower.get_weights()
        optimizer = make_optimizer(OptimizerConfig(name="sgd", learning_rate=0.1), 10, "float32")
        optimizer.build(tower.trainable_variables)
        alone = Devices(tf.distribute.get_strategy(), 1, 1, True, "one")
        step = make_step(
            tower, optimizer, make_strategy(LossConfig()), alone, seed=0, microbatch=microbatch
        )
        step(tf.constant(0), tf.constant(0), tf.constant(images), labels)
        after.append(tower.get_weights())
    for one, other in zip(*after, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    moved = [not np.array_equal(a, b) for a, b in zip(before, after[0], strict=True)]
    assert sum(moved) > 0.8 * len(moved)
