"""Updates of backbone and head, compared with optimizers written out in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from triplet_train.config import OptimizerConfig
from triplet_train.training.averages import averaged
from triplet_train.training.optimizers import learning_rate, make_optimizer

STEPS = 8
GRADIENTS = np.random.default_rng(0).normal(size=(STEPS, 2, 3)).astype(np.float32)
START = np.array([[1.0, -2.0, 0.5], [0.3, 0.0, -1.0]], np.float32)  # backbone, head


def oracle(name, rates, gradients, weight, decay):
    """The weights after each update of one array, in float64."""
    w, m, v, after = weight.astype(np.float64), 0.0, 0.0, []
    for t, (rate, g) in enumerate(zip(rates, gradients.astype(np.float64), strict=True), 1):
        w = w - rate * decay * w
        if name == "sgd":
            m = 0.9 * m - rate * g
            w = w + m
        else:
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
            w = w - rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-7)
        after.append(w)
    return np.array(after)


def updated(config, precision="float32", thaw=0, overflow=()):
    """The variables and their optimizer after all steps, and the weights after each: [step, 2, 3].

    The backbone is frozen in the first `thaw` steps. A gradient is infinite in those of `overflow`.
    """
    backbone, head = (keras.Variable(value) for value in START)
    optimizer = make_optimizer(config, STEPS, precision, [backbone])
    optimizer.build([backbone, head])
    after = []
    for step, gradients in enumerate(GRADIENTS):
        weights = [head] if step < thaw else [backbone, head]
        scale = float(optimizer.scale_loss(tf.constant(1.0)))
        scaled = [tf.constant(scale * g) for g in gradients[-len(weights) :]]
        if step in overflow:
            scaled[-1] *= np.inf
        optimizer.apply(scaled, weights)
        after.append([np.array(backbone), np.array(head)])
    return [backbone, head], optimizer, np.array(after)


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_the_backbone_has_its_share_of_the_rate_in_update_and_decay(name, decay):
    config = OptimizerConfig(
        name=name, learning_rate=0.1, warmup_steps=2, weight_decay=decay, backbone_rate=0.1
    )
    _, optimizer, after = updated(config)
    schedule = learning_rate(config, STEPS)
    rates = np.array([float(schedule(step)) for step in range(STEPS)])
    for part, share in enumerate((0.1, 1.0)):
        expected = oracle(name, share * rates, GRADIENTS[:, part], START[part], decay)
        np.testing.assert_allclose(after[:, part], expected, rtol=1e-4, atol=1e-6)
    assert float(optimizer.learning_rate) == pytest.approx(float(schedule(STEPS)), abs=1e-8)


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_a_backbone_that_thaws_begins_as_a_new_one_at_the_rate_of_the_step(name):
    """Adam's averages would be corrected for more steps than they have, with one count for all."""
    config = OptimizerConfig(name=name, learning_rate=0.1, weight_decay=0.1, backbone_rate=0.5)
    _, _, after = updated(config, thaw=3)
    rates = np.array([float(learning_rate(config, STEPS)(step)) for step in range(STEPS)])
    assert (after[:3, 0] == START[0]).all()
    for part, share, thaw in ((0, 0.5, 3), (1, 1.0, 0)):
        expected = oracle(name, share * rates[thaw:], GRADIENTS[thaw:, part], START[part], 0.1)
        np.testing.assert_allclose(after[thaw:, part], expected, rtol=1e-4, atol=1e-6)


def test_a_step_that_overflows_is_left_out_of_both_optimizers():
    config = OptimizerConfig(learning_rate=0.1, schedule="constant", backbone_rate=0.5)
    _, optimizer, after = updated(config, "mixed_float16", overflow=[2])
    kept = [step for step in range(STEPS) if step != 2]
    assert (after[2] == after[1]).all()
    for part, share in ((0, 0.5), (1, 1.0)):
        rates = [share * 0.1] * len(kept)
        expected = oracle("adam", rates, GRADIENTS[kept, part], START[part], 0.0)
        np.testing.assert_allclose(after[kept, part], expected, rtol=1e-4, atol=1e-6)
    assert int(optimizer.iterations) == len(kept)
    assert float(optimizer.dynamic_scale) == 2.0**14


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
@pytest.mark.parametrize("thaw", [0, 3, STEPS])
def test_averages_are_those_of_the_trained_steps_and_weights_come_back(precision, thaw):
    config = OptimizerConfig(learning_rate=0.1, backbone_rate=0.5, ema=0.7)
    weights, optimizer, after = updated(config, precision, thaw)
    raw = [np.array(weight) for weight in weights]
    expected = []
    for values in (after[thaw:, 0], after[:, 1]):
        average = values[0] if len(values) else START[0]
        for value in values[1:]:
            average = 0.7 * average + 0.3 * value
        expected.append(average)
    with averaged(weights, optimizer):
        np.testing.assert_allclose([np.array(w) for w in weights], expected, rtol=1e-5, atol=1e-6)
    for weight, value in zip(weights, raw, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_there_is_no_average_before_the_first_step():
    weight = keras.Variable(START)
    optimizer = make_optimizer(OptimizerConfig(ema=0.9), STEPS, "float32")
    optimizer.build([weight])
    with averaged([weight], optimizer):
        np.testing.assert_array_equal(weight, START)
