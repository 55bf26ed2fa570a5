"""The losses under test, by name, as functions of labels and embeddings."""

import functools

import tensorflow as tf

from triplet_train.losses import (
    triplet_batch_all_loss,
    triplet_easy_positive_loss,
    triplet_hard_loss,
    triplet_semihard_loss,
)

METRICS = ["L2", "squared-L2", "angular"]
FUNCTIONS = {
    "hard": triplet_hard_loss,
    "semi_hard": triplet_semihard_loss,
    "easy_positive": triplet_easy_positive_loss,
    "batch_all": triplet_batch_all_loss,
}
# name -> (function, what the oracle has to be told)
LOSSES = {name: (function, {"strategy": name}) for name, function in FUNCTIONS.items()} | {
    "soft": (functools.partial(triplet_hard_loss, soft=True), {"strategy": "hard", "soft": True}),
    "nonzero": (
        functools.partial(triplet_batch_all_loss, reduction="nonzero"),
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
