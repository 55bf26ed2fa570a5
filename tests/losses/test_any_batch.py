"""Batches and labels that are unusual, and those that are refused; statistics; XLA."""

import functools
import time

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import loss_oracle as oracle
from tests.helpers.losses_under_test import FUNCTIONS, LOSSES, METRICS, compiled, value_and_gradient
from triplet_train.losses import (
    triplet_batch_all_loss,
    triplet_batch_all_statistics,
    triplet_loss,
    triplet_semihard_statistics,
)
from triplet_train.losses.mining import batch
from triplet_train.losses.naive import triplet_naive_statistics


@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_without_valid_anchors_gives_zero_and_zero_gradients(name):
    for labels in ([0, 0, 0, 0], [0, 1, 2, 3], [0], [0, 0], [0, 1], []):
        x = np.random.default_rng(0).normal(size=(len(labels), 3)).astype(np.float32)
        labels = np.array(labels, np.int64)
        value, gradient = compiled(name, "L2", "float32")(labels, x, 1.0)
        assert float(value) == 0 and gradient.shape == x.shape and not gradient.numpy().any()


@pytest.mark.parametrize("name", LOSSES)
def test_collapsed_embeddings_give_the_margin_and_finite_gradients(name):
    labels, x = [0, 0, 0, 1, 1, 2, 2, 2], np.full((8, 64), 0.3, np.float32)
    for metric in METRICS:
        value, gradient = compiled(name, metric, "float32")(labels, x, 0.7)
        assert float(value) == pytest.approx(np.log(2) if name == "soft" else 0.7, abs=1e-6)
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_labels_may_be_any_integers_as_a_row_or_a_column(name):
    x = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    expected = float(FUNCTIONS[name]([0, 1, 0, 2, 1, 0], x))
    near = 2**24 + np.array([0, 1, 0, 2, 1, 0])  # neighbours are equal in float32 here
    for labels in (near, near.astype(np.int32), near[:, np.newaxis], near + 2**40):
        assert float(FUNCTIONS[name](labels, x)) == expected
    assert float(FUNCTIONS[name](np.array([0, 255, 0, 7, 255, 0], np.uint8), x)) == expected


@pytest.mark.parametrize(
    "labels, shape, error, message",
    [
        ([0.0, 0.0, 1.0], (3, 2), TypeError, "labels must be integers, not float32"),
        ([[1, 0], [0, 1]], (2, 2), ValueError, r"\[B\] or \[B, 1\], not \(2, 2\)"),
        ([0, 0, 1], (4, 2), ValueError, "3 labels for 4 embeddings"),
        ([0, 0, 1], (3, 2, 2), ValueError, r"embeddings must be \[B, D\]"),
    ],
)
def test_labels_and_embeddings_that_are_not_a_batch_are_refused(labels, shape, error, message):
    for loss in FUNCTIONS.values():
        with pytest.raises(error, match=message):
            loss(tf.constant(labels), np.zeros(shape))


def test_sizes_that_differ_only_when_called_are_refused():
    with pytest.raises(tf.errors.InvalidArgumentError):
        compiled("hard", "L2", "float32")([0, 0, 1], np.zeros((4, 2), np.float32), 1.0)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_unknown_option_is_refused(name):
    with pytest.raises(ValueError, match="L1"):
        FUNCTIONS[name]([0, 0, 1], np.zeros((3, 2)), distance_metric="L1")
    with pytest.raises(ValueError, match="median"):
        triplet_batch_all_loss([0, 0, 1], np.zeros((3, 2)), reduction="median")
    with pytest.raises(ValueError, match="L1"):
        triplet_loss([[0.0]], [[1.0]], [[2.0]], distance_metric="L1")


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", LOSSES)
def test_a_nan_among_the_embeddings_is_not_hidden(name, metric):
    x = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    x[2, 1] = np.nan
    for labels in ([0, 0, 1, 1, 2, 2, 3, 3], [0, 1, 2, 3, 3, 3, 3, 3]):
        assert np.isnan(compiled(name, metric, "float32")(labels, x, 1.0)[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", LOSSES)
def test_xla_gives_the_same_and_compiles_once_whatever_the_labels(name):
    random = np.random.default_rng(0)
    x = random.normal(size=(24, 5)).astype(np.float32)
    seconds = []
    for classes in (6, 2, 24, 1):
        labels = random.integers(0, classes, 24)
        start = time.perf_counter()
        value, gradient = compiled(name, "L2", "float32", jit_compile=True)(labels, x, 0.3)
        seconds.append(time.perf_counter() - start)
        expected, expected_gradient = compiled(name, "L2", "float32")(labels, x, 0.3)
        assert float(value) == pytest.approx(float(expected), abs=1e-6)
        assert gradient.numpy() == pytest.approx(expected_gradient.numpy(), abs=1e-6)
    assert max(seconds[1:]) < seconds[0] / 3


@pytest.mark.parametrize("known", [True, False], ids=["labels known", "labels given"])
@pytest.mark.parametrize("name", ["semi_hard", pytest.param("batch_all", marks=pytest.mark.slow)])
def test_xla_for_a_gpu_gives_the_same_in_blocks_of_slots(name, known, monkeypatch):
    monkeypatch.setattr(batch, "slots_at_once", lambda rows: 4)
    random = np.random.default_rng(0)
    x = tf.constant(random.normal(size=(24, 5)), tf.float32)
    for labels in (np.arange(24) % 3, np.arange(24) // 4):  # more and fewer slots than a block
        expected, expected_gradient = compiled(name, "L2", "float32")(labels, x, 0.3)

        call = functools.partial(value_and_gradient, LOSSES[name][0])
        if known:
            call = functools.partial(call, labels)
        call = tf.function(call, jit_compile=True, autograph=False)
        given = [] if known else [tf.constant(labels)]
        value, gradient = call(*given, x, 0.3)
        assert float(value) == pytest.approx(float(expected), abs=1e-6)
        assert gradient.numpy() == pytest.approx(expected_gradient.numpy(), abs=1e-6)


def test_random_triplets_are_one_of_each_per_valid_anchor_by_seed_with_xla_and_without():
    x = np.random.default_rng(3).normal(size=(6, 2))
    labels = np.array([0, 0, 0, 1, 1, 2])  # the last row has no positive

    def draw(seed):
        return triplet_naive_statistics(labels, x, seed)

    drawn, by_xla = (tf.function(draw, autograph=False, jit_compile=xla) for xla in (False, True))
    seen = set()
    for step in range(40):
        seed = tf.constant([-1 if step % 2 else 1, step])
        assert float(drawn(seed).valid_anchors) == pytest.approx(5 / 6)
        assert float(drawn(seed).loss) == float(drawn(seed).loss)
        assert float(by_xla(seed).loss) == pytest.approx(float(drawn(seed).loss))
        seen.add(float(drawn(seed).loss))
    assert len(seen) > 10


def test_random_triplets_average_to_the_mean_over_anchors_of_all_their_triplets():
    x, labels = np.array([[0.0], [1.0], [3.0], [1.5]]), np.array([0, 0, 1, 1])
    drawn = tf.function(
        lambda seed: triplet_naive_statistics(labels, x, seed).loss, autograph=False
    )
    means = [float(drawn(tf.constant([0, step]))) for step in range(400)]
    assert np.mean(means) == pytest.approx(oracle.loss("batch_all", x, labels)[0], abs=0.03)


def test_random_triplets_of_a_batch_without_valid_anchors_give_zero():
    for labels in ([0, 0, 0], [0, 1, 2], [0]):
        x = np.zeros((len(labels), 2))
        value, gradient = value_and_gradient(
            lambda y, x: triplet_naive_statistics(y, x, tf.constant([0, 0])).loss, labels, x
        )
        assert float(value) == 0 and not gradient.numpy().any()


def test_statistics_are_those_of_the_same_distances():
    x, labels = np.array([[0.0], [1.0], [3.0], [1.5], [9.0]]), np.array([0, 0, 1, 1, 2])
    statistics = triplet_semihard_statistics(labels, x, 1.0)
    assert float(statistics.valid_anchors) == pytest.approx(4 / 5)
    assert float(statistics.positive_distance) == pytest.approx((1 + 1.5) / 2)
    apart = [3, 1.5, 9, 2, 0.5, 8, 6, 7.5]
    assert float(statistics.negative_distance) == pytest.approx(np.mean(apart))
    # 1 - 1.5 + 1 and 1.5 - 2 + 1 are; 1 - 2 + 1 and 1.5 - 7.5 + 1 are not.
    assert float(statistics.active_fraction) == 2 / 4


def test_the_active_fraction_of_batch_all_is_that_of_its_triplets():
    random = np.random.default_rng(1)
    x, labels = random.normal(size=(20, 8)), random.integers(0, 4, 20)
    d = oracle.distances(x, "L2")
    active = [
        d[a, p] - d[a, n] + 0.3 > 0
        for a, positives, negatives in oracle.valid_anchors(labels)
        for p in positives
        for n in negatives
    ]
    statistics = triplet_batch_all_statistics(labels, x, 0.3)
    assert float(statistics.active_fraction) == pytest.approx(np.mean(active), rel=1e-9)
