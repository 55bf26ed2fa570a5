"""One training step, compiled: embed, take the loss on the embeddings, go back to the weights."""

from collections.abc import Callable

import keras
import tensorflow as tf

from triplet_train.losses.statistics import TripletStatistics
from triplet_train.losses.strategies import Strategy

Step = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], TripletStatistics]

_LAYERS, _LOSS = range(2)  # who draws random numbers


def make_step(
    tower: keras.Model,
    optimizer: keras.Optimizer,
    strategy: Strategy,
    *,
    seed: int,
    jit_compile: bool = False,
) -> Step:
    """(step int32 [], images uint8 [B, H, W, C], labels [B]) -> TripletStatistics, one update.

    Stage one embeds the images. Stage two takes the loss and its gradient with respect to the
    embeddings alone, and pushes that gradient back through the tower; what happens to embeddings
    between the two concerns neither the tower nor the loss. Every random number derives from
    (seed, step), so that a step can be repeated in isolation.
    """
    seed_states = _seed_states(tower)
    optimizer.build(tower.trainable_variables)

    @tf.function(jit_compile=jit_compile)
    def train_step(step: tf.Tensor, images: tf.Tensor, labels: tf.Tensor) -> TripletStatistics:
        key = tf.stack([tf.constant(seed, tf.int32), step])
        for index, state in enumerate(seed_states):
            state.assign(tf.cast(_fold(key, (_LAYERS, index)), state.dtype))
        with tf.GradientTape() as tower_tape:
            embeddings = tower(images, training=True)
        with tf.GradientTape() as loss_tape:
            loss_tape.watch(embeddings)
            statistics = strategy(labels, embeddings, _fold(key, (_LOSS, 0)))
        pull = loss_tape.gradient(statistics.loss, embeddings)
        gradients = tower_tape.gradient(
            embeddings, tower.trainable_variables, output_gradients=pull
        )
        optimizer.apply(gradients)
        return statistics

    return train_step


def _fold(key: tf.Tensor, purpose: tuple[int, int]) -> tf.Tensor:
    """A seed, int32 [2], for one purpose in one step."""
    for part in purpose:
        key = tf.random.experimental.stateless_fold_in(key, part)
    return key


def _seed_states(tower: keras.Model) -> list[keras.Variable]:
    """States of the layers that draw random numbers, such as dropout, in the model's order."""
    weights = {id(weight) for weight in tower.weights}
    return [variable for variable in tower.variables if id(variable) not in weights]
