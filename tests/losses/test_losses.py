import json

import numpy as np
import oracle
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from triplet_train.losses import (
    pairwise_distances,
    triplet_batch_all_loss,
    triplet_hard_loss,
    triplet_loss,
    triplet_semihard_loss,
)
from triplet_train.losses.naive import random_triplet_statistics
from triplet_train.losses.semi_hard import triplet_semihard_statistics

METRICS = ["L2", "squared-L2", "angular"]
LOSSES = {
    "hard": (triplet_hard_loss, oracle.hard),
    "semi_hard": (triplet_semihard_loss, oracle.semi_hard),
    "batch_all": (triplet_batch_all_loss, oracle.batch_all),
}


def value_and_gradient(loss, labels, embeddings, *arguments, **options):
    x = tf.constant(embeddings)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = loss(labels, x, *arguments, **options)
    return value.numpy(), tape.gradient(value, x).numpy()


@st.composite
def batches(draw):
    """Small batches with ties, coincident points, one class or as many as rows."""
    size = draw(st.integers(1, 12))
    labels = draw(st.lists(st.integers(0, 4), min_size=size, max_size=size))
    grid = st.integers(-3, 3).map(float)
    points = draw(st.lists(st.lists(grid, min_size=2, max_size=2), min_size=size, max_size=size))
    # On the grid distances are exact and so are ties; off it a tie would be one of rounding errors.
    shift = draw(st.sampled_from([0.0, 0.1]))
    off_grid = np.random.default_rng(size).normal(size=(size, 2))
    return np.array(points) + shift * off_grid, np.array(labels)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", LOSSES)
@settings(max_examples=60, deadline=None)
@given(batch=batches(), margin=st.sampled_from([0.0, 0.2, 1.0]))
def test_losses_equal_the_loops_and_stay_finite_in_any_batch(name, metric, batch, margin):
    loss, loops = LOSSES[name]
    points, labels = batch
    if metric == "angular":
        points = points + np.random.default_rng(0).normal(size=points.shape)  # no ties of angles
    value, gradient = value_and_gradient(loss, labels, points, margin, distance_metric=metric)
    assert value == pytest.approx(loops(points, labels, margin, metric=metric), abs=1e-6)
    assert np.isfinite(gradient).all()


@settings(max_examples=40, deadline=None)
@given(batch=batches(), metric=st.sampled_from(["L2", "squared-L2"]))
def test_soft_hard_equals_the_loops(batch, metric):
    points, labels = batch
    value, gradient = value_and_gradient(
        triplet_hard_loss, labels, points, soft=True, distance_metric=metric
    )
    assert value == pytest.approx(oracle.hard(points, labels, soft=True, metric=metric), abs=1e-6)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", LOSSES)
def test_gradients_equal_finite_differences_of_the_loops(name, metric):
    loss, loops = LOSSES[name]
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(9, 3)), np.array([0, 0, 0, 1, 1, 1, 2, 2, 3])
    _, gradient = value_and_gradient(loss, labels, x, 0.5, distance_metric=metric)
    step = 1e-6
    for place in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[place] += step
        down[place] -= step
        slope = loops(up, labels, 0.5, metric=metric) - loops(down, labels, 0.5, metric=metric)
        assert gradient[place] == pytest.approx(slope / (2 * step), abs=1e-5)


def test_values_and_gradients_are_those_of_tensorflow_addons(golden):
    cases = json.loads((golden / "tfa_losses.json").read_text())["cases"]
    arrays = np.load(golden / "tfa_losses.npz")
    compared = 0
    for case in cases:
        x, y = (arrays[f"{case['case']}_{part}"] for part in ("embeddings", "labels"))
        metric, margin, soft = case["distance_metric"], case["margin"], case.get("soft", False)
        if case["loss_function"] == "hard":
            value, gradient = value_and_gradient(
                triplet_hard_loss, y, x, margin, soft, distance_metric=metric
            )
        else:
            value, gradient = value_and_gradient(
                triplet_semihard_loss, y, x, margin, distance_metric=metric
            )
        # float32 knows a loss only as well as the distances that it is the difference of.
        scale = max(1.0, float(oracle.distances(x, metric).max()))
        assert value == pytest.approx(case["loss"], rel=1e-5, abs=2e-7 * scale), case
        if not (soft and largest_gap(x, y, metric) > 87):
            expected = arrays[f"{case['case']}_gradient"]
            # Theirs has the rounding errors of float32 distances, which are ours no longer.
            assert np.abs(gradient - expected).max() <= 1e-5 * np.abs(expected).max(), case
            compared += 1
    assert len(cases) == 240 and compared >= 239


def largest_gap(x, labels, metric):
    """Past 87 the reference's log1p(exp(gap)) loses its gradient in float32; softplus does not."""
    d = oracle.distances(x, metric)
    anchors = oracle.positives_and_negatives(labels)
    return max(max(d[a, p]) - min(d[a, n]) for a, p, n in anchors)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "float64"])
@pytest.mark.parametrize("name", LOSSES)
def test_hand_computed_values_hold_in_every_dtype_and_label_shape(name, dtype):
    loss, _ = LOSSES[name]
    x = tf.constant([[0.0], [1.0], [3.0], [1.5]], dtype)
    expected = {"hard": 1.125, "semi_hard": 0.5, "batch_all": 0.6875}[name]
    for labels in ([0, 0, 1, 1], [[0], [0], [1], [1]], np.array([7, 7, 2**40, 2**40])):
        value = tf.function(loss)(tf.constant(labels), x)
        assert value.dtype == (tf.float64 if dtype == "float64" else tf.float32)
        assert float(value) == pytest.approx(expected)


def test_hand_computed_values_of_the_options():
    x, y = tf.constant([[0.0], [1.0], [3.0], [1.5]]), [0, 0, 1, 1]
    assert float(triplet_semihard_loss(y, x, margin=0.2)) == pytest.approx(0.05)
    assert float(triplet_hard_loss(y, x, soft=True)) == pytest.approx(0.808873, abs=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_collapsed_embeddings_give_the_margin_and_finite_gradients(name):
    loss, _ = LOSSES[name]
    x = np.full((8, 4), 0.5, np.float32)
    for metric in METRICS:
        value, gradient = value_and_gradient(
            loss, [0, 0, 0, 1, 1, 2, 2, 2], x, distance_metric=metric
        )
        assert value == pytest.approx(1.0, abs=1e-6)
        assert np.isfinite(gradient).all()
    assert float(triplet_hard_loss([0, 0, 1, 1], x[:4], soft=True)) == pytest.approx(np.log(2))


@pytest.mark.parametrize("labels", [[0, 0, 0, 0], [0, 1, 2, 3], [0]])
@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_without_valid_anchors_gives_zero_and_zero_gradients(name, labels):
    loss, _ = LOSSES[name]
    x = np.random.default_rng(0).normal(size=(len(labels), 3))
    value, gradient = value_and_gradient(loss, labels, x)
    assert value == 0 and (gradient == 0).all()


def test_a_large_batch_equals_the_loops_over_its_triplets():
    rng = np.random.default_rng(1)
    x, labels = rng.normal(size=(60, 8)), rng.integers(0, 6, 60)
    for loss, loops in LOSSES.values():
        assert float(loss(labels, x, 0.3)) == pytest.approx(loops(x, labels, 0.3), rel=1e-9)
    terms = np.array(oracle.batch_all_terms(x, labels, 0.3))
    from triplet_train.losses.batch_all import triplet_batch_all_statistics

    active = triplet_batch_all_statistics(labels, x, 0.3).active_fraction
    assert float(active) == pytest.approx(np.mean(terms > 0), rel=1e-9)


def test_naive_is_the_textbook_formula_over_explicit_rows():
    rng = np.random.default_rng(2)
    a, p, n = rng.normal(size=(3, 7, 4))
    squared = np.maximum(((a - p) ** 2).sum(1) - ((a - n) ** 2).sum(1) + 0.4, 0)
    assert float(triplet_loss(a, p, n, 0.4, "squared-L2")) == pytest.approx(squared.mean())
    apart = np.linalg.norm(a - p, axis=1) - np.linalg.norm(a - n, axis=1) + 0.4
    assert float(triplet_loss(a, p, n, 0.4)) == pytest.approx(np.maximum(apart, 0).mean())


def test_random_triplets_are_one_positive_and_one_negative_per_valid_anchor_by_seed():
    x = np.random.default_rng(3).normal(size=(6, 2))
    labels = np.array([0, 0, 0, 1, 1, 2])  # the last row has no positive
    seen = set()
    for step in range(40):
        seed = tf.constant([0, step])
        drawn = random_triplet_statistics(labels, x, seed)
        assert float(drawn.valid_anchors) == pytest.approx(5 / 6)
        assert float(drawn.loss) == float(random_triplet_statistics(labels, x, seed).loss)
        seen.add(float(drawn.loss))
    assert len(seen) > 10


def test_random_triplets_average_to_the_mean_over_anchors_of_all_their_triplets():
    x, labels = np.array([[0.0], [1.0], [3.0], [1.5]]), np.array([0, 0, 1, 1])
    drawn = tf.function(lambda seed: random_triplet_statistics(labels, x, seed).loss)
    means = [float(drawn(tf.constant([0, step]))) for step in range(400)]
    assert np.mean(means) == pytest.approx(oracle.batch_all(x, labels), abs=0.03)


def test_statistics_are_those_of_the_same_distances():
    x, labels = np.array([[0.0], [1.0], [3.0], [1.5], [9.0]]), np.array([0, 0, 1, 1, 2])
    statistics = triplet_semihard_statistics(labels, x, 1.0)
    assert float(statistics.valid_anchors) == pytest.approx(4 / 5)
    assert float(statistics.positive_distance) == pytest.approx((1 + 1.5) / 2)
    apart = [3, 1.5, 9, 2, 0.5, 8, 6, 7.5]
    assert float(statistics.negative_distance) == pytest.approx(np.mean(apart))
    assert 0 < float(statistics.active_fraction) < 1


@pytest.mark.parametrize("name", LOSSES)
def test_labels_that_are_not_integers_are_refused(name):
    with pytest.raises(TypeError, match="integers, not float32"):
        LOSSES[name][0](tf.constant([0.0, 0.0, 1.0]), np.zeros((3, 2)))


def test_near_identical_points_keep_the_digits_of_their_distance():
    x = np.random.default_rng(0).normal(size=(2, 64)).astype(np.float32)
    x[1] = x[0] + np.float32(1e-5)
    apart = np.linalg.norm(x[0].astype(np.float64) - x[1])
    assert pairwise_distances(x).numpy()[0, 1] == pytest.approx(apart, rel=1e-4)


@pytest.mark.parametrize("name", LOSSES)
def test_an_unknown_metric_is_refused(name):
    with pytest.raises(ValueError, match="L1"):
        LOSSES[name][0]([0, 0, 1], np.zeros((3, 2)), distance_metric="L1")


@pytest.mark.parametrize("name", LOSSES)
def test_the_metric_may_be_a_function(name):
    def manhattan(x):
        return tf.reduce_sum(tf.abs(x[:, tf.newaxis] - x), axis=2)

    x = tf.constant([[0.0], [1.0], [3.0], [1.5]])
    loss, _ = LOSSES[name]
    assert float(loss([0, 0, 1, 1], x, distance_metric=manhattan)) == float(loss([0, 0, 1, 1], x))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", LOSSES)
def test_a_nan_among_the_embeddings_is_not_hidden(name, metric):
    x = np.random.default_rng(0).normal(size=(6, 3))
    x[2, 1] = np.nan
    loss, _ = LOSSES[name]
    assert np.isnan(loss([0, 0, 1, 1, 2, 2], x, distance_metric=metric))
