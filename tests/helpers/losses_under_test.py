"""The forms of every strategy that mines, by its name in the registry."""

import functools
from importlib import import_module

import tensorflow as tf

from triplet_train import losses
from triplet_train.losses.mining.forms import loss_name
from triplet_train.losses.mining.keras_loss import MinedLoss
from triplet_train.registry import STRATEGIES

METRICS = ["L2", "squared-L2", "angular"]
EXPORTED = [getattr(losses, name) for name in losses.__all__]
CLASSES_OF = {
    kind.statistics: kind
    for kind in EXPORTED
    if isinstance(kind, type) and issubclass(kind, MinedLoss)
}
STATISTICS = {
    name: getattr(import_module(f"triplet_train.losses.{name}"), f"triplet_{name}_statistics")
    for name in STRATEGIES
    if name != "naive"
}
# labels, embeddings, options -> loss
FUNCTIONS = {name: getattr(losses, loss_name(function)) for name, function in STATISTICS.items()}
CLASSES = {name: CLASSES_OF[function] for name, function in STATISTICS.items()}
# name -> (function, arguments of the oracle)
LOSSES = {name: (function, {"strategy": name}) for name, function in FUNCTIONS.items()} | {
    "soft": (functools.partial(FUNCTIONS["hard"], soft=True), {"strategy": "hard", "soft": True}),
    "nonzero": (
        functools.partial(FUNCTIONS["batch_all"], reduction="nonzero"),
        {"strategy": "batch_all", "nonzero": True},
    ),
}


def value_and_gradient(loss, labels, embeddings, *arguments, **options):
    """(scalar, [B, D]) as tensors."""
    x = tf.convert_to_tensor(embeddings)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = loss(labels, x, *arguments, **options)
    return value, tape.gradient(value, x)


@functools.cache
def compiled(name, metric, dtype, jit_compile=False):
    """(labels int64 [None], embeddings [None, D], margin) -> value and gradient, traced once."""

    def call(labels, embeddings, margin):
        options = {"margin": margin, "distance_metric": metric}
        return value_and_gradient(LOSSES[name][0], labels, embeddings, **options)

    signature = [
        tf.TensorSpec([None], tf.int64),
        tf.TensorSpec([None, None], dtype),
        tf.TensorSpec([], tf.float64 if dtype == "float64" else tf.float32),
    ]
    return tf.function(call, signature, autograph=False, jit_compile=jit_compile)
