import keras
import numpy as np
import pytest
import tensorflow as tf

from triplet_train.config import AugmentConfig, LossConfig, ModelConfig, OptimizerConfig
from triplet_train.losses import triplet_hard_loss
from triplet_train.losses.mining.strategy import make_strategy
from triplet_train.models.tower import build_tower
from triplet_train.registry import STRATEGIES
from triplet_train.training.augmentation import make_augmentation
from triplet_train.training.devices import Devices
from triplet_train.training.microbatches import embed_in_microbatches
from triplet_train.training.optimizers import learning_rate, make_optimizer
from triplet_train.training.step import make_step

LABELS = np.repeat(np.arange(4), 3)
ALONE = Devices(tf.distribute.get_strategy(), 1, 1, True, "one")
IMAGES = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 1), np.uint8)


def make_with_optimizer(
    seed=0,
    augment=None,
    jit_compile=False,
    microbatch=None,
    clip_norm=None,
    precision="float32",
    **more,
):
    """A tower with more["model"], trained with more["loss"] and the other keys' optimizer."""
    keras.utils.set_random_seed(1)
    # Hard mining is compiled in half the time of semi-hard.
    model, loss = more.pop("model", {}), more.pop("loss", {"strategy": "hard"})
    tower = build_tower(
        ModelConfig(**({"filters": [4], "embedding_dim": 5} | model)), (8, 8, 1), precision
    )
    optimizer = make_optimizer(OptimizerConfig(**more), 10, precision)
    optimizer.build(tower.trainable_variables)
    step = make_step(
        tower,
        optimizer,
        make_strategy(LossConfig(**loss)),
        ALONE,
        seed=seed,
        augment=make_augmentation(augment or AugmentConfig()),
        clip_norm=clip_norm,
        microbatch=microbatch,
        jit_compile=jit_compile,
    )
    return (
        tower,
        optimizer,
        lambda number: step(tf.constant(number), tf.constant(0), IMAGES, LABELS),
    )


MADE = {}


def make(**options):
    """The tower and the step; the same options are made only once."""
    key = repr(sorted(options.items()))
    if key not in MADE:
        tower, optimizer, step = make_with_optimizer(**options)
        variables = [*tower.variables, *optimizer.variables]
        MADE[key] = tower, step, variables, [variable.numpy() for variable in variables]
    tower, step, variables, values = MADE[key]
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    return tower, step


def weights_after(steps, **options):
    tower, step = make(**options)
    for number in steps:
        step(number)
    return tower.get_weights()


@pytest.mark.parametrize("name", ["cnn", pytest.param("resnet", marks=pytest.mark.slow)])
def test_the_two_stages_give_the_gradient_of_one_tape(name):
    options = {"name": "sgd", "schedule": "constant", "learning_rate": 0.1}
    tower, step = make(model={"tower": name}, **options)
    before = [tf.identity(weight) for weight in tower.trainable_variables]
    with tf.GradientTape() as tape:
        loss = triplet_hard_loss(LABELS, tower(IMAGES, training=True))
    gradients = tape.gradient(loss, tower.trainable_variables)
    assert float(step(0).triplets.loss) == pytest.approx(float(loss), rel=1e-6)
    for old, new, gradient in zip(before, tower.trainable_variables, gradients, strict=True):
        np.testing.assert_allclose(new, old - 0.1 * gradient, atol=1e-6)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_trains(strategy):
    _, step = make(loss={"strategy": strategy}, learning_rate=0.01)
    losses = [float(step(number).triplets.loss) for number in range(10)]
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize("strategy", ["naive", pytest.param("semi_hard", marks=pytest.mark.slow)])
def test_a_step_is_a_function_of_weights_seed_and_step(strategy):
    options = {"model": {"dropout": 0.5}, "loss": {"strategy": strategy}}
    first, again = (weights_after([3], **options) for _ in range(2))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    for other in (weights_after([4], **options), weights_after([3], seed=1, **options)):
        assert any((a != b).any() for a, b in zip(first, other, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["hard", "naive"])
def test_xla_gives_the_same_step(strategy):
    loss = {"strategy": strategy}
    both = (weights_after([0, 1], loss=loss, jit_compile=xla) for xla in (False, True))
    for plain, compiled in zip(*both, strict=True):
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


@pytest.mark.parametrize(
    "strategy, size",
    [
        ("hard", 4),
        pytest.param("hard", 1, marks=pytest.mark.slow),
        pytest.param("semi_hard", 4, marks=pytest.mark.slow),
        *(pytest.param(strategy, 6, marks=pytest.mark.slow) for strategy in STRATEGIES),
    ],
)
def test_microbatches_give_the_step_of_the_undivided_batch(strategy, size):
    options = {"loss": {"strategy": strategy}, "name": "sgd", "learning_rate": 0.1}
    whole, parts = (weights_after([0, 1], microbatch=m, **options) for m in (None, size))
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_microbatches_are_compiled_by_xla_too():
    plain, compiled = (
        weights_after([0, 1], microbatch=4, jit_compile=xla) for xla in (False, True)
    )
    for one, other in zip(plain, compiled, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_both_ways_of_a_microbatch_draw_the_same_and_move_the_averages_once():
    def tower_of_everything():
        keras.utils.set_random_seed(1)
        config = ModelConfig(filters=[4], embedding_dim=5, dropout=0.5, batch_norm=True)
        return build_tower(config, (8, 8, 1))

    def seed_by(tower):
        (state,) = [v for v in tower.variables if v.name == "seed_generator_state"]
        return lambda part: state.assign(tf.cast(tf.stack([part, part]), state.dtype))

    gradient = tf.constant(np.random.default_rng(1).normal(size=(12, 5)), tf.float32)
    tower, twin = tower_of_everything(), tower_of_everything()
    embeddings, backpropagate = embed_in_microbatches(tower, tf.constant(IMAGES), 4, seed_by(tower))
    gradients = backpropagate(gradient)

    expected = np.empty((12, 5), np.float32)
    with tf.GradientTape() as tape:
        total = 0.0
        for part in range(3):
            seed_by(twin)(tf.constant(part))
            embedded = twin(IMAGES[part::3], training=True)
            expected[part::3] = embedded
            total += tf.reduce_sum(embedded * gradient.numpy()[part::3])
    np.testing.assert_allclose(embeddings, expected, atol=1e-6)
    for one, other in zip(gradients, tape.gradient(total, twin.trainable_variables), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    for one, other in zip(tower.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)  # moving averages among them


def test_the_gradient_norm_is_that_before_the_bound_which_the_update_keeps():
    options = {"name": "sgd", "learning_rate": 1.0, "schedule": "constant"}
    norms = []
    for clip_norm in (None, 0.01):
        tower, step = make(clip_norm=clip_norm, **options)
        before = tower.get_weights()
        told = float(step(0).gradient_norm)
        moved = [a - b for a, b in zip(before, tower.get_weights(), strict=True)]
        norms.append((told, np.sqrt(sum(np.sum(part**2) for part in moved))))
    (free_told, free_moved), (told, moved) = norms
    assert free_told == pytest.approx(free_moved, rel=1e-4) == pytest.approx(told, rel=1e-4)
    assert moved == pytest.approx(0.01, rel=1e-4)


def test_metrics_are_those_of_the_batch_and_the_rate_of_its_step():
    tower, step = make(learning_rate=0.4, warmup_steps=4)
    embeddings = tower(IMAGES, training=True).numpy()
    metrics = step(0)
    spread = np.mean(np.sum((embeddings - embeddings.mean(axis=0)) ** 2, axis=1))
    assert float(metrics.embedding_spread) == pytest.approx(spread, abs=1e-6)
    schedule = learning_rate(OptimizerConfig(learning_rate=0.4, warmup_steps=4), 10)
    assert float(metrics.learning_rate) == pytest.approx(float(schedule(0)))
    assert float(step(1).learning_rate) == pytest.approx(float(schedule(1)))


def test_vectors_that_are_all_zero_have_no_spread_and_no_gradient():
    """A tower whose units are all dead, say; its biases may be zero."""
    tower, step = make(learning_rate=0.4, warmup_steps=4)
    for weight in tower.layers[-2].weights:
        weight.assign(np.zeros(weight.shape))
    metrics = step(0)
    assert float(metrics.embedding_spread) == float(metrics.gradient_norm) == 0
    assert float(metrics.triplets.loss) == 1  # the margin


@pytest.mark.parametrize(
    "precision", ["mixed_bfloat16", pytest.param("mixed_float16", marks=pytest.mark.slow)]
)
def test_mixed_precision_trains_and_starts_like_float32(precision):
    metrics = []
    for policy in ("float32", precision):
        _, step = make(precision=policy, learning_rate=0.01)
        metrics.append([step(number) for number in range(10)])
    (exact, *_), (mixed, *_, last) = metrics
    assert float(mixed.triplets.loss) == pytest.approx(float(exact.triplets.loss), rel=0.05)
    assert float(mixed.gradient_norm) == pytest.approx(float(exact.gradient_norm), rel=0.2)
    assert float(last.triplets.loss) < 0.9 * float(mixed.triplets.loss)


def test_a_step_whose_scaled_gradient_overflows_is_left_out_and_the_scale_halved():
    tower, optimizer, step = make_with_optimizer(precision="mixed_float16", clip_norm=1.0)
    optimizer.dynamic_scale.assign(2.0**40)
    before = tower.get_weights()
    assert not np.isfinite(float(step(0).gradient_norm))
    assert all((a == b).all() for a, b in zip(before, tower.get_weights(), strict=True))
    assert float(optimizer.dynamic_scale) == 2.0**39


@pytest.mark.parametrize("steps, strategy", [([0, 1], "semi_hard"), ([2, 3], "hard")])
def test_hard_mining_begins_with_the_requested_number_of_semi_hard_steps(steps, strategy):
    warmed = weights_after(steps, loss={"strategy": "hard", "warmup_steps": 2})
    plain = weights_after(steps, loss={"strategy": strategy})
    for one, other in zip(warmed, plain, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
