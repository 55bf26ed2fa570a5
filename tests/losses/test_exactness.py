"""Values and gradients against loops in NumPy and against the reference values of others."""

import itertools
import json

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers import loss_oracle as oracle
from tests.helpers.losses_under_test import FUNCTIONS, LOSSES, METRICS, compiled, value_and_gradient
from triplet_train.losses import pairwise_distances, triplet_loss
from triplet_train.registry import STRATEGIES

DTYPES = {"float64": 1e-9, "float32": 1e-5, "float16": 2e-3, "bfloat16": 1.6e-2}
DIMENSIONS = 3


def test_every_strategy_that_mines_is_compared_with_its_loop():
    assert set(FUNCTIONS) == set(oracle.STRATEGIES) == set(STRATEGIES) - {"naive"}


@st.composite
def batches(draw, metric):
    """Draw (points, labels, scale of the points, whether all distances differ), of 1 to 10 points.

    The batch has from one class to a class per point. Some points coincide, one is zero, all lie
    on a grid where different pairs are exactly as far apart, or none of that.
    """
    size = draw(st.integers(1, 10))
    classes = draw(st.integers(1, size))
    # Angles that are equal in theory differ in floating point, except for coincident points.
    ways = ["distinct", "coincident", "zeros", "grid"][: 3 if metric == "angular" else 4]
    way = draw(st.sampled_from(ways))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = draw(st.sampled_from([1.0, 0.01, 20.0])) if way != "grid" else 1.0
    points = scale * random.normal(size=(size, DIMENSIONS))
    if way == "grid":
        points = random.integers(-2, 3, (size, DIMENSIONS)).astype(float)
    elif way != "distinct":
        points = points[random.integers(0, (size + 1) // 2, size)]
    if way == "zeros":
        points[random.integers(size)] = 0.0
    return points, random.integers(0, classes, size), scale, way == "distinct"


def short_and_long_forms():
    """Yield (metric, type, number of batches); the long form has 200 batches of each."""
    for metric, dtype in itertools.product(METRICS, DTYPES):
        if dtype == "float32" or (metric, dtype) == ("L2", "float64"):
            yield metric, dtype, 20
        yield pytest.param(metric, dtype, 200, marks=pytest.mark.slow)


@pytest.mark.parametrize("metric, dtype, drawn", [*short_and_long_forms()])
@pytest.mark.parametrize("name", LOSSES)
def test_losses_and_gradients_equal_the_loops_in_any_batch(name, metric, dtype, drawn):
    call, (_, told) = compiled(name, metric, dtype), LOSSES[name]

    @settings(max_examples=drawn, deadline=None, suppress_health_check=list(HealthCheck))
    @given(batch=batches(metric), margin=st.sampled_from([0.0, 0.25, 1.0]))
    def check(batch, margin):
        points, labels, scale, distinct = batch
        x = tf.cast(points, dtype)
        given_points = tf.cast(x, tf.float64).numpy()
        value, gradient = call(labels, x, margin)
        assert value.dtype == (tf.float64 if dtype == "float64" else tf.float32)
        assert gradient.dtype == x.dtype
        expected, expected_gradient = oracle.loss(
            x=given_points, labels=labels, margin=margin, metric=metric,
            mined_as=value.dtype.as_numpy_dtype, **told,
        )  # fmt: skip
        precision = 1e-9 if dtype == "float64" else 1e-5
        near = precision * max(1.0, scale**2 if metric == "squared-L2" else scale)
        assert float(value) == pytest.approx(expected, rel=precision, abs=near)
        gradient = tf.cast(gradient, tf.float64).numpy()
        assert np.isfinite(gradient).all()
        # At a tie, or where a hinge is exactly closed, there are several gradients.
        if distinct and len(set(map(tuple, given_points))) == len(points):
            largest = np.abs(expected_gradient).max()
            assert gradient == pytest.approx(expected_gradient, abs=DTYPES[dtype] * (largest + 1))

    check()


def test_values_and_gradients_are_those_of_tensorflow_addons(golden):
    cases = json.loads((golden / "tfa_losses.json").read_text())["cases"]
    arrays = np.load(golden / "tfa_losses.npz")
    compared = 0
    for case in cases:
        x, y = (arrays[f"{case['case']}_{part}"] for part in ("embeddings", "labels"))
        metric, margin, soft = case["distance_metric"], case["margin"], case.get("soft", False)
        name = "soft" if soft else {"hard": "hard"}.get(case["loss_function"], "semi_hard")
        value, gradient = compiled(name, metric, "float32")(y.ravel(), x, margin)
        # A loss in float32 is only as exact as the distances that it subtracts.
        scale = float(tf.reduce_max(pairwise_distances(x, metric)))
        assert float(value) == pytest.approx(case["loss"], rel=1e-5, abs=2e-7 * scale), case
        if not (soft and largest_gap(x, y, metric) > 87):
            expected = arrays[f"{case['case']}_gradient"]
            # The reference has the rounding errors of float32 distances; the package has not.
            assert np.abs(gradient - expected).max() <= 1e-5 * np.abs(expected).max(), case
            compared += 1
    assert len(cases) == 240 and compared >= 239


def largest_gap(x, labels, metric):
    """Past 87 the reference's log1p(exp(gap)) loses its gradient in float32; softplus does not."""
    d = pairwise_distances(x, metric).numpy()
    return max(max(d[a, p]) - min(d[a, n]) for a, p, n in oracle.valid_anchors(labels))


@pytest.mark.parametrize("classes", [2, 8, 20])
@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_with_few_or_many_positives_an_anchor_equals_the_loops(name, classes):
    random = np.random.default_rng(classes)
    x, labels = random.normal(size=(40, 8)).astype(np.float32), random.integers(0, classes, 40)
    value, gradient = compiled(name, "L2", "float32")(labels, x, 0.3)
    expected, expected_gradient = oracle.loss(
        x=x, labels=labels, margin=0.3, mined_as=np.float32, **LOSSES[name][1]
    )
    assert float(value) == pytest.approx(expected, rel=1e-5)
    assert gradient.numpy() == pytest.approx(expected_gradient, abs=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_a_metric_may_be_a_function_with_negative_values(name):
    def minus_product(x):
        return -tf.matmul(x, x, transpose_b=True)

    random = np.random.default_rng(0)
    for classes in (2, 8):
        x, labels = random.normal(size=(40, 4)), random.integers(0, classes, 40)
        options = {"margin": 0.5, "distance_metric": minus_product}
        # On the unit sphere it is the angular distance minus one, a constant that cancels.
        unit = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
        value, gradient = value_and_gradient(LOSSES[name][0], labels, unit, **options)
        options["distance_metric"] = "angular"
        angular, _ = value_and_gradient(LOSSES[name][0], labels, unit, **options)
        assert float(value) == pytest.approx(float(angular), rel=1e-4)
        assert np.isfinite(gradient).all()


def test_values_known_by_hand():
    x, y = tf.constant([[0.0], [1.0], [3.0], [1.5]]), [0, 0, 1, 1]
    assert float(FUNCTIONS["semi_hard"](y, x)) == pytest.approx(0.5)
    assert float(FUNCTIONS["semi_hard"](y, x, margin=0.2)) == pytest.approx(0.05)
    assert float(FUNCTIONS["hard"](y, x)) == pytest.approx(1.125)
    assert float(FUNCTIONS["hard"](y, x, soft=True)) == pytest.approx(0.808873, abs=1e-6)
    assert float(FUNCTIONS["batch_all"](y, x)) == pytest.approx(0.6875)


def test_naive_is_the_formula_over_explicit_rows():
    for metric in METRICS:
        a, p, n = np.random.default_rng(2).normal(size=(3, 7, 4))
        rows = zip(a, p, n, strict=True)
        terms = [
            max(0, oracle.distance(x, y, metric) - oracle.distance(x, z, metric) + 0.4)
            for x, y, z in rows
        ]
        assert float(triplet_loss(a, p, n, 0.4, metric)) == pytest.approx(np.mean(terms))
        half = (tf.cast(rows, tf.bfloat16) for rows in (a, p, n))
        assert triplet_loss(*half, 0.4, metric).dtype == tf.float32
    assert float(triplet_loss(*np.zeros((3, 0, 4)))) == 0


def test_naive_gradients_of_coincident_and_of_zero_vectors_are_finite():
    for metric in METRICS:
        x = tf.constant([[[0.0, 0.0]] * 3, [[1.0, 2.0]] * 3])
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = triplet_loss(*tf.unstack(x, axis=1), 0.5, metric)
        assert float(value) == pytest.approx(0.5)
        assert np.isfinite(tape.gradient(value, x)).all()


@pytest.mark.parametrize("metric", METRICS)
def test_near_identical_points_keep_the_digits_of_distance_and_gradient(metric):
    x = np.random.default_rng(0).normal(size=(2, 64)).astype(np.float32)
    x[1] = x[0] + np.float32(1e-5) * x[0, ::-1]
    with tf.GradientTape() as tape:
        points = tf.constant(x)
        tape.watch(points)
        apart = pairwise_distances(points, metric)[0, 1]
    exact = x.astype(np.float64)
    assert float(apart) == pytest.approx(oracle.distance(*exact, metric), rel=2e-3)
    gradient, _ = oracle.distance_gradient(*exact, metric)
    size = np.abs(gradient).max()
    assert tape.gradient(apart, points).numpy()[0] == pytest.approx(gradient, abs=1e-2 * size)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_coincident_points_are_at_distance_zero(metric, dtype):
    x = np.repeat(np.random.default_rng(0).normal(size=(3, 129)), 2, axis=0).astype(dtype)
    distances = pairwise_distances(tf.constant(50.0 * x), metric).numpy()
    assert (distances[[0, 2, 4], [1, 3, 5]] == 0).all() and (np.diag(distances) == 0).all()
