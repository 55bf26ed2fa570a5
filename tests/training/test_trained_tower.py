"""Parts of a tower that stand still in training."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from triplet_train.config import LossConfig, ModelConfig, OptimizerConfig
from triplet_train.losses import triplet_hard_loss
from triplet_train.losses.mining.strategy import make_strategy
from triplet_train.models.tower import build_tower
from triplet_train.registry import BACKBONE
from triplet_train.training.devices import Devices
from triplet_train.training.microbatches import embed_in_microbatches, embed_whole
from triplet_train.training.optimizers import make_optimizer
from triplet_train.training.step import make_step
from triplet_train.training.trained_tower import TrainedTower, batch_normalisations, divided

ALONE = Devices(tf.distribute.get_strategy(), 1, 1, True, "one")
LABELS = np.repeat(np.arange(4), 3)
IMAGES = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 1), np.uint8)
PULL = tf.constant(np.random.default_rng(1).normal(size=(12, 5)), tf.float32)


def tower_of(**options):
    """A tower whose batch statistics are not those that it began with."""
    keras.utils.set_random_seed(1)
    model = {"filters": [4], "embedding_dim": 5, "batch_norm": True} | options
    tower = build_tower(ModelConfig(**model), (8, 8, 1))
    for layer in batch_normalisations(tower):
        layer.moving_mean.assign(0.1 + layer.moving_mean)
        layer.gamma.assign(1.5 * layer.gamma)
    return tower


def tower_with_dropout_in_its_backbone():
    images = keras.Input((8, 8, 1), dtype="uint8")
    features = keras.layers.Dropout(0.5)(keras.layers.Rescaling(1 / 255)(images))
    features = keras.layers.Flatten()(features)
    backbone = keras.Model(images, features, name=BACKBONE)
    images = keras.Input((8, 8, 1), dtype="uint8")
    return keras.Model(images, keras.layers.Dense(5)(backbone(images)))


def three_steps(tower, trained):
    """The operations of the step that was made three times."""
    optimizer = make_optimizer(OptimizerConfig(schedule="constant"), 10, "float32")
    optimizer.build(trained.trainable_variables)
    step = make_step(trained, optimizer, make_strategy(LossConfig(strategy="hard")), ALONE, seed=0)
    arguments = tf.constant(0), tf.constant(0), tf.constant(IMAGES), tf.constant(LABELS)
    for _ in range(3):
        step(*arguments)
    graph = step.get_concrete_function(*arguments).graph
    return {node.type for node in graph.get_operations()}


def test_only_the_head_of_a_frozen_tower_moves_and_is_differentiated():
    tower = tower_of()
    backbone, head = divided(tower)
    trained = TrainedTower(tower, frozen=True)
    assert [v.name for v in trained.trainable_variables] == ["kernel", "bias"]
    before, of_head = (model.get_weights() for model in (backbone, head))
    operations = three_steps(tower, trained)
    for still, saved in zip(backbone.weights, before, strict=True):
        np.testing.assert_array_equal(still, saved)  # moving averages among them
    for old, new in zip(of_head, head.weights, strict=True):
        assert np.any(old != new)
    assert "Conv2D" in operations and not any("Backprop" in kind for kind in operations)
    assert len(tower.trainable_variables) == 5  # for later steps


def test_a_frozen_backbone_computes_as_in_inference_while_its_head_draws():
    tower = tower_with_dropout_in_its_backbone()
    still = TrainedTower(tower, frozen=True)
    np.testing.assert_array_equal(still(IMAGES, training=True), tower(IMAGES, training=False))
    assert np.any(tower(IMAGES, training=True) != tower(IMAGES, training=False))
    dropping = TrainedTower(tower_of(dropout=0.5), frozen=True)
    assert np.any(dropping(IMAGES, training=True) != dropping(IMAGES, training=False))


@pytest.mark.parametrize("size", [12, 4])
def test_statistics_at_rest_give_the_gradient_of_inference_for_every_weight(size):
    """In microbatches too, which with statistics of their own would give another one."""
    tower = tower_of()
    before = [np.array(v) for v in tower.non_trainable_variables]
    with tf.GradientTape() as tape:
        expected = tower(IMAGES, training=False)
    gradients = tape.gradient(expected, tower.trainable_variables, output_gradients=PULL)
    still = TrainedTower(tower, still=True)
    if size == 12:
        embeddings, backpropagate = embed_whole(still, tf.constant(IMAGES))
    else:
        embeddings, backpropagate = embed_in_microbatches(
            still, tf.constant(IMAGES), size, lambda part: None
        )
    np.testing.assert_allclose(embeddings, expected, atol=1e-6)
    for given, one in zip(backpropagate(PULL), gradients, strict=True):
        np.testing.assert_allclose(given, one, rtol=1e-4, atol=1e-5)
    for now, then in zip(tower.non_trainable_variables, before, strict=True):
        np.testing.assert_array_equal(now, then)
    assert all(layer.trainable for layer in batch_normalisations(tower))


def test_the_head_alone_gets_the_gradient_that_it_has_in_the_tower():
    tower = tower_of()
    _, head = divided(tower)
    with tf.GradientTape() as tape:
        loss = triplet_hard_loss(LABELS, tower(IMAGES, training=False))
    expected = tape.gradient(loss, head.trainable_variables)
    embeddings, backpropagate = embed_whole(TrainedTower(tower, frozen=True), tf.constant(IMAGES))
    with tf.GradientTape() as tape:
        tape.watch(embeddings)
        loss = triplet_hard_loss(LABELS, embeddings)
    given = backpropagate(tape.gradient(loss, embeddings))
    for one, other in zip(given, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
