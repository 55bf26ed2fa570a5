"""A training step

The time of a step in parts, each added to the one before: the forward and backward pass of the
tower alone, the loss, the update of the weights and the metrics, the batches that are read beside
it, and the whole loop of `triplet-train` with its log. B = 128, semi-hard, images of 28 x 28 x 1 in
memory. Medians of rounds in random order; the last column compares within a round.
"""

import json
from collections.abc import Callable

from rounds import in_rounds, rates
from sections import main

TOWERS = {
    "two convolutions": "{filters: [32, 64], embedding_dim: 64}",
    "three, with batch normalisation": (
        "{filters: [32, 64, 128], batch_norm: true, embedding_dim: 64}"
    ),
}


def parts(model: str, steps: int) -> tuple[dict[str, Callable[[], float]], list[float]]:
    """Functions that return the seconds per step of each part; shares of time waiting for data."""
    import tensorflow as tf
    from steps import NEVER, made_images, set_up, timed

    from triplet_train.losses.mining.strategy import make_strategy
    from triplet_train.training.microbatches import embed_whole

    batch = "batch={classes: 8, per_class: 16}"
    training = set_up(made_images(20_000, (28, 28, 1)), f"model={model}", batch)
    pixels, labels = next(training.data())
    pull = tf.random.normal([128, 64])
    strategy, data, zero = make_strategy(training.config.loss), training.data(), tf.constant(0)
    waits: list[float] = []

    @tf.function(autograph=False)
    def bare() -> tf.Tensor:
        _, backpropagate = embed_whole(training.tower, pixels)
        return tf.add_n([tf.reduce_sum(gradient) for gradient in backpropagate(pull)])

    @tf.function(autograph=False)
    def with_loss() -> tf.Tensor:
        embeddings, backpropagate = embed_whole(training.tower, pixels)
        with tf.GradientTape() as tape:
            tape.watch(embeddings)
            loss = strategy(labels, embeddings, tf.constant([0, 0]), zero).loss
        gradients = backpropagate(tape.gradient(loss, embeddings))
        return loss + tf.add_n([tf.reduce_sum(gradient) for gradient in gradients])

    def loop() -> float:
        often = {"log_every": steps, "eval_every": NEVER, "checkpoint_every": NEVER}
        lines = training.loop(None, steps=2 * steps, **often).splitlines()
        last = json.loads(lines[1])  # of the second half, so that compiling is left out
        waits.append(last["data_wait"])
        return training.batches.size / last["images_per_second"]

    return {
        "forward and backward": timed(bare, steps),
        "+ loss": timed(with_loss, steps),
        "+ update, metrics": timed(
            lambda: training.step(zero, zero, pixels, labels).triplets.loss, steps
        ),
        "+ batches": timed(lambda: training.step(zero, zero, *next(data)).triplets.loss, steps),
        "+ loop, log": loop,
    }, waits


def section(quick: bool) -> str:
    steps, rounds = (2, 1) if quick else (20, 7)
    found = []
    for name, model in TOWERS.items():
        functions, waits = parts(model, steps)
        found.append(f"{name}, a step of 128 images:\n\n{rates(in_rounds(functions, rounds), 128)}")
        found.append(f"Waiting for data takes {max(waits):.1%} of the loop's time at most.")
    return "\n\n".join(found)


if __name__ == "__main__":
    main(section)
