import keras
import numpy as np
import pytest
import tensorflow as tf

from triplet_train.config import LossConfig, ModelConfig, OptimizerConfig
from triplet_train.losses import triplet_semihard_loss
from triplet_train.losses.strategies import make_strategy
from triplet_train.models.tower import build_tower
from triplet_train.training.devices import Devices
from triplet_train.training.optimizers import learning_rate, make_optimizer
from triplet_train.training.step import make_step

LABELS = np.repeat(np.arange(4), 3)
ALONE = Devices(tf.distribute.get_strategy(), 1, 1, True, "one")
IMAGES = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 1), np.uint8)


def make(seed=0, jit_compile=False, microbatch=None, clip_norm=None, precision="float32", **more):
    """A tower with more["model"], trained with more["loss"] and the other keys' optimizer."""
    keras.utils.set_random_seed(1)
    model, loss = more.pop("model", {}), more.pop("loss", {})
    tower = build_tower(
        ModelConfig(**({"filters": [4], "embedding_dim": 5} | model)), (8, 8, 1), precision
    )
    step = make_step(
        tower,
        make_optimizer(OptimizerConfig(**more), 10, precision),
        make_strategy(LossConfig(**loss)),
        ALONE,
        seed=seed,
        clip_norm=clip_norm,
        microbatch=microbatch,
        jit_compile=jit_compile,
    )
    return tower, lambda number: step(tf.constant(number), tf.constant(0), IMAGES, LABELS)


def weights_after(steps, **options):
    tower, step = make(**options)
    for number in steps:
        step(number)
    return tower.get_weights()


def test_the_two_stages_give_the_gradient_of_one_tape():
    tower, step = make(name="sgd", schedule="constant", learning_rate=0.1)
    before = [tf.identity(weight) for weight in tower.trainable_variables]
    with tf.GradientTape() as tape:
        loss = triplet_semihard_loss(LABELS, tower(IMAGES, training=True))
    gradients = tape.gradient(loss, tower.trainable_variables)
    assert float(step(0).triplets.loss) == pytest.approx(float(loss), rel=1e-6)
    for old, new, gradient in zip(before, tower.trainable_variables, gradients, strict=True):
        np.testing.assert_allclose(new, old - 0.1 * gradient, atol=1e-6)


@pytest.mark.parametrize("strategy", ["hard", "semi_hard", "naive", "batch_all"])
def test_every_strategy_trains(strategy):
    _, step = make(loss={"strategy": strategy}, learning_rate=0.01)
    losses = [float(step(number).triplets.loss) for number in range(10)]
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize("strategy", ["semi_hard", "naive"])
def test_a_step_is_a_function_of_weights_seed_and_step(strategy):
    options = {"model": {"dropout": 0.5}, "loss": {"strategy": strategy}}
    first, again = (weights_after([3], **options) for _ in range(2))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    for other in (weights_after([4], **options), weights_after([3], seed=1, **options)):
        assert any((a != b).any() for a, b in zip(first, other, strict=True))


def test_xla_gives_the_same_step():
    for plain, compiled in zip(
        weights_after([0, 1]), weights_after([0, 1], jit_compile=True), strict=True
    ):
        np.testing.assert_allclose(plain, compiled, atol=1e-4)


def test_the_learning_rate_warms_up_to_its_peak_and_ends_at_zero():
    rate = learning_rate(OptimizerConfig(learning_rate=0.4, warmup_steps=4), 20)
    rates = [float(rate(step)) for step in range(21)]
    assert 0 < rates[0] < rates[1] < rates[3] < 0.4
    assert rates[4] == pytest.approx(0.4) and rates[20] == pytest.approx(0, abs=1e-7)
    constant = learning_rate(
        OptimizerConfig(learning_rate=0.4, warmup_steps=4, schedule="constant"), 20
    )
    assert float(constant(2)) < 0.4 == pytest.approx(float(constant(4))) == float(constant(19))


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_every_optimizer_takes_weight_decay(name):
    optimizer = make_optimizer(OptimizerConfig(name=name, weight_decay=0.1), 5, "float32")
    assert optimizer.weight_decay == 0.1
