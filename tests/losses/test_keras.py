"""The classes where people use them: compile, fit, save, load, mixed precision, tf.distribute."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.losses_under_test import CLASSES, FUNCTIONS
from tests.helpers.processes import in_processes, set_up
from triplet_train.losses import (
    TripletBatchAllLoss,
    TripletHardLoss,
    TripletLoss,
    TripletSemiHardLoss,
    triplet_hard_loss,
    triplet_semihard_loss,
)

RANDOM = np.random.default_rng(0)
LABELS = 2**24 + np.arange(32) // 4  # eight classes, of which float32 would make four
POINTS = (RANDOM.normal(size=(8, 5))[LABELS - 2**24] + RANDOM.normal(size=(32, 5))).astype("f")


@keras.saving.register_keras_serializable("tests")
def manhattan(x):
    return tf.reduce_sum(tf.abs(x[:, tf.newaxis] - x), axis=2)


def make_tower():
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(16, "relu"), keras.layers.Dense(8)]
    return keras.Sequential([keras.Input([5]), *layers, keras.layers.UnitNormalization()])


@pytest.mark.parametrize(
    "name",
    ["semi_hard", *(pytest.param(n, marks=pytest.mark.slow) for n in CLASSES if n != "semi_hard")],
)
def test_fit_begins_at_the_loss_of_the_function_and_lowers_it(name):
    tower = make_tower()
    tower.compile(optimizer=keras.optimizers.Adam(0.01), loss=CLASSES[name](0.4))
    before = float(FUNCTIONS[name](LABELS, tower(POINTS), 0.4))
    history = tower.fit(POINTS, LABELS, batch_size=32, shuffle=False, epochs=15, verbose=0)
    assert history.history["loss"][0] == pytest.approx(before, abs=1e-6)
    assert history.history["loss"][-1] < 0.8 * before


@pytest.mark.slow
def test_fit_by_xla_gives_the_loss_of_the_function():
    tower = make_tower()
    tower.compile(optimizer="sgd", loss=TripletSemiHardLoss(0.4), jit_compile=True)
    before = float(triplet_semihard_loss(LABELS, tower(POINTS), 0.4))
    history = tower.fit(POINTS, LABELS, batch_size=32, shuffle=False, verbose=0)
    assert history.history["loss"][0] == pytest.approx(before, abs=1e-6)


def test_fit_under_mixed_bfloat16_takes_the_loss_in_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        tower = make_tower()
    finally:
        keras.config.set_dtype_policy("float32")
    tower.compile(optimizer="sgd", loss=TripletHardLoss(0.4))
    vectors = tower(POINTS)
    assert vectors.dtype == tf.bfloat16
    value = TripletHardLoss(0.4)(LABELS, vectors)
    assert value.dtype == tf.float32
    history = tower.fit(POINTS, LABELS, batch_size=32, shuffle=False, verbose=0)
    assert history.history["loss"][0] == pytest.approx(float(value), abs=0.01)


def test_fit_on_triplets_is_the_formula_over_rows():
    triplets = POINTS[:30].reshape(10, 3, 5)
    tower = make_tower()
    three = keras.Input([3, 5])
    model = keras.Model(three, keras.layers.TimeDistributed(tower)(three))
    model.compile(optimizer="sgd", loss=TripletLoss(0.4, "squared-L2"))
    a, p, n = np.moveaxis(model.predict(triplets, verbose=0), 1, 0)
    terms = np.maximum(((a - p) ** 2).sum(1) - ((a - n) ** 2).sum(1) + 0.4, 0)
    assert model.evaluate(triplets, np.zeros(10), verbose=0) == pytest.approx(terms.mean())
    weights = np.arange(10.0)
    weighted = TripletLoss(0.4, "squared-L2", reduction="sum")
    vectors = np.stack([a, p, n], axis=1)
    assert float(weighted(np.zeros(10), vectors, weights)) == pytest.approx((weights * terms).sum())


@pytest.mark.parametrize(
    "loss",
    [
        TripletHardLoss(0.3, soft=True, distance_metric="angular", name="mine"),
        TripletSemiHardLoss(distance_metric=manhattan, reduction="sum", dtype="float64"),
        TripletBatchAllLoss(0.1, reduction="nonzero"),
        TripletLoss(0.3, "squared-L2", reduction=None),
        *(kind(0.2, distance_metric="squared-L2") for kind in CLASSES.values()),
    ],
    ids=lambda loss: type(loss).__name__,
)
def test_a_loss_is_saved_and_loaded_with_its_model(loss, tmp_path):
    tower = make_tower()
    if isinstance(loss, TripletLoss):
        tower.add(keras.layers.RepeatVector(3))
    tower.compile(optimizer="sgd", loss=loss)
    tower.save(tmp_path / "tower.keras")
    again = keras.models.load_model(tmp_path / "tower.keras").loss
    assert type(again) is type(loss) and again.get_config() == loss.get_config()
    vectors = tower(POINTS)
    np.testing.assert_array_equal(again(LABELS, vectors), loss(LABELS, vectors))


def test_arguments_are_those_of_tensorflow_addons_by_position_and_name():
    assert TripletSemiHardLoss(0.5, "angular", "mine").name == "mine"
    hard = TripletHardLoss(0.5, True, "squared-L2", "mine")
    assert (hard.margin, hard.soft, hard.distance_metric, hard.name) == (
        0.5, True, "squared-L2", "mine",
    )  # fmt: skip
    expected = triplet_hard_loss(LABELS, POINTS, 0.5, True, "squared-L2")
    assert float(hard(y_true=LABELS, y_pred=POINTS)) == float(expected)


def test_embeddings_keep_their_precision_unless_a_dtype_is_asked_for():
    wide = POINTS.astype(np.float64)
    assert TripletHardLoss()(LABELS, wide).dtype == tf.float64
    assert TripletHardLoss(dtype="float32")(LABELS, wide).dtype == tf.float32


def test_arguments_that_a_loss_cannot_use_are_refused():
    for kind in CLASSES.values():
        with pytest.raises(ValueError, match="L1"):
            kind(distance_metric="L1")
        with pytest.raises(ValueError, match="reduction"):
            kind(reduction="median")
        with pytest.raises(ValueError, match=f"{kind.__name__} takes no sample weights"):
            kind()(LABELS, POINTS, sample_weight=np.ones(32))
        with pytest.raises(TypeError, match="integers"):
            kind()(LABELS.astype(np.float32), POINTS)


def learn_on_one_and_on_two(losses):
    """(shown loss, weights) after 10 steps on one device and on two with the same batch each."""
    set_up(logical_cpus=2)
    labels = np.arange(16) // 4
    triplets = np.random.default_rng(1).normal(size=(16, 3, 5)).astype("f")

    def learn(strategy, loss):
        keras.utils.set_random_seed(0)
        x = triplets if isinstance(loss, TripletLoss) else triplets[:, 0]
        copies = strategy.num_replicas_in_sync
        batch = [np.concatenate([part] * copies) for part in (x, labels)]
        batches = tf.data.Dataset.from_tensors(tuple(batch)).repeat(10)
        with strategy.scope():
            layers = [keras.layers.Dense(8), keras.layers.UnitNormalization()]
            tower = keras.Sequential([keras.Input(x.shape[1:]), *layers])
            tower.compile(optimizer=keras.optimizers.SGD(0.5), loss=loss)
        shown = tower.fit(batches, verbose=0).history["loss"][0]
        return [shown] + [weight.numpy() for weight in tower.trainable_weights]

    strategies = tf.distribute.get_strategy(), tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    return [[learn(strategy, loss) for strategy in strategies] for loss in losses]


def test_two_replicas_with_the_same_batch_learn_what_one_device_learns():
    losses = TripletLoss(), TripletBatchAllLoss(reduction="nonzero")
    (results,) = in_processes(learn_on_one_and_on_two, (losses,))
    for one, two in results:
        for a, b in zip(one, two, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)
