"""On a GPU the whole step runs there, with XLA and without.

By TensorFlow's own list of its kernels, so that no GPU is needed.
"""

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.augmented import STRONG
from tests.helpers.gpu_kernels import left_to_the_host, pinned
from tests.helpers.processes import in_processes, set_up
from triplet_train.config import AugmentConfig, LossConfig, ModelConfig, OptimizerConfig
from triplet_train.embeddings.compute import make_embed
from triplet_train.losses.mining.strategy import make_strategy
from triplet_train.models.tower import build_tower
from triplet_train.registry import STRATEGIES
from triplet_train.training.augmentation import make_augmentation
from triplet_train.training.devices import Devices
from triplet_train.training.optimizers import make_optimizer
from triplet_train.training.randomness import step_key
from triplet_train.training.step import make_step

RANDOM = np.random.default_rng(0)
SHAPE = (8, 8, 3)
PRECISIONS = ["float32", "mixed_bfloat16", "mixed_float16"]
# Each strategy with other options, which covers all of them in seconds.
CASES = {
    "semi_hard": {"augment": STRONG, "clip_norm": 1.0},
    "hard": {
        "loss": {"warmup_steps": 3},
        "precision": "mixed_float16",
        "optimizer": {"name": "adamw", "weight_decay": 0.1, "warmup_steps": 3},
        "microbatch": 4,
    },
    "batch_all": {
        "precision": "mixed_bfloat16",
        "model": {"batch_norm": True, "dropout": 0.5},
        "optimizer": {"name": "sgd"},
    },
}
OTHERS = {"loss": {"distance": "angular"}, "microbatch": 4}


@pytest.fixture
def with_a_gpu(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [f"a {kind}"])


def traced(
    strategy,
    distribution=None,
    augment=None,
    precision="float32",
    model=None,
    loss=None,
    optimizer=None,
    shape=SHAPE,
    **more,
):
    """The graph of a step of 24 images on all replicas together."""
    distribution = distribution or tf.distribute.get_strategy()
    replicas = distribution.num_replicas_in_sync
    with distribution.scope():
        config = ModelConfig(**({"filters": [4], "embedding_dim": 5} | (model or {})))
        tower = build_tower(config, shape, precision)
        update = make_optimizer(OptimizerConfig(**(optimizer or {})), 10, precision)
        update.build(tower.trainable_variables)
    step = make_step(
        tower,
        update,
        make_strategy(LossConfig(strategy=strategy, **(loss or {}))),
        Devices(distribution, replicas, 1, True, "some"),
        seed=0,
        augment=make_augmentation(augment or AugmentConfig()),
        **more,
    )
    scalar = tf.TensorSpec([], tf.int32)
    images = tf.TensorSpec([24 // replicas, *shape], tf.uint8)
    labels = tf.TensorSpec([24], tf.int64)
    return step.get_concrete_function(scalar, scalar, images, labels).graph


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_step_leaves_nothing_but_scalars_and_shapes_to_the_host(strategy, with_a_gpu):
    graph = traced(strategy, **CASES.get(strategy, OTHERS))
    assert left_to_the_host(graph) == []
    assert pinned(graph) == []


@pytest.mark.slow
@pytest.mark.parametrize("microbatch", [None, 4])
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_step_of_every_strategy_and_precision_leaves_nothing_to_the_host(
    strategy, precision, microbatch, with_a_gpu
):
    graph = traced(strategy, augment=STRONG, precision=precision, microbatch=microbatch)
    assert left_to_the_host(graph) == []


@pytest.mark.slow
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("tower", ["resnet", "MobileNet"])
def test_a_step_of_every_kind_of_tower_leaves_nothing_to_the_host(tower, precision, with_a_gpu):
    model = {"tower": tower, "filters": None}
    graph = traced("hard", precision=precision, model=model, shape=(32, 32, 3))
    assert left_to_the_host(graph) == []


@pytest.mark.parametrize("option", AugmentConfig.model_fields)
def test_augmentation_by_each_option_alone_leaves_nothing_to_the_host(option, with_a_gpu):
    value = getattr(STRONG, option)
    augment = make_augmentation(AugmentConfig(**{option: value}))
    function = tf.function(
        lambda images, step: augment(images, step_key(0, step), tf.range(24, dtype=tf.int64), 24),
        autograph=False,
    )
    images = tf.TensorSpec([24, *SHAPE], tf.uint8)
    graph = function.get_concrete_function(images, tf.TensorSpec([], tf.int32)).graph
    assert left_to_the_host(graph) == []


def of_two_replicas(cases):
    """Operations that a step on two devices leaves to the host, from a process of its own."""
    set_up(logical_cpus=2)
    devices = tf.config.list_logical_devices("CPU")
    distribution = tf.distribute.MirroredStrategy([device.name for device in devices])
    tf.config.list_physical_devices = lambda kind=None: [f"a {kind}"]
    return [left_to_the_host(traced(name, distribution, **more)) for name, more in cases]


@pytest.mark.slow
def test_a_step_on_each_of_two_replicas_leaves_nothing_to_the_host():
    cases = [(strategy, CASES.get(strategy, OTHERS)) for strategy in STRATEGIES]
    (left,) = in_processes(of_two_replicas, (cases,))
    assert left == [[]] * len(cases)


@pytest.mark.parametrize(
    "precision",
    [PRECISIONS[1], *(pytest.param(each, marks=pytest.mark.slow) for each in PRECISIONS[::2])],
)
def test_embedding_leaves_nothing_to_the_host(precision, monkeypatch, with_a_gpu):
    made = []
    function = tf.function

    def remembered(*arguments, **options):
        make = function(*arguments, **options)
        return lambda of: made.append(make(of)) or made[-1]

    monkeypatch.setattr(tf, "function", remembered)
    tower = build_tower(ModelConfig(filters=[4], embedding_dim=5), SHAPE, precision)
    make_embed(tower, 4)
    (embed,) = made
    assert left_to_the_host(embed.get_concrete_function().graph) == []


@pytest.mark.parametrize("per_class", [4, 16])  # few positives, and many
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_indices_for_a_gpu_give_the_same_loss_and_gradient_bit_for_bit(
    strategy, per_class, request
):
    labels = RANDOM.permutation(np.repeat(np.arange(3), per_class))
    embeddings = tf.constant(RANDOM.normal(size=(len(labels), 4)), tf.float32)
    loss = make_strategy(LossConfig(strategy=strategy))

    def computed():
        with tf.GradientTape() as tape:
            tape.watch(embeddings)
            statistics = loss(labels, embeddings, tf.constant([0, 0]), tf.constant(0))
        return [*statistics, tape.gradient(statistics.loss, embeddings)]

    plain = computed()
    request.getfixturevalue("with_a_gpu")
    for one, other in zip(plain, computed(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_pixels_for_a_gpu_are_the_same(request):
    augment = make_augmentation(STRONG)
    images = tf.constant(RANDOM.integers(0, 256, (24, *SHAPE), np.uint8))
    rows, key = tf.range(24), step_key(0, tf.constant(0))
    plain = augment(images, key, rows, 24)
    request.getfixturevalue("with_a_gpu")
    np.testing.assert_array_equal(plain, augment(images, key, rows, 24))


def test_operations_left_to_the_host_are_found(with_a_gpu):
    @tf.function
    def function(images):
        chosen = tf.gather(images, tf.range(24)[::-1])
        return tf.py_function(lambda x: x, [tf.cast(chosen, tf.float32)], tf.float32)

    images = tf.TensorSpec([24, *SHAPE], tf.uint8)
    left = left_to_the_host(function.get_concrete_function(images).graph)
    found = {line.split()[0] for line in left}
    assert found == {"Range", "StridedSlice", "GatherV2", "EagerPyFunc"}
