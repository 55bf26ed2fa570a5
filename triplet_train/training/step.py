"""One training step, compiled: embed, take the loss on the embeddings, go back to the weights."""

from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from triplet_train.losses.mining.statistics import TripletStatistics
from triplet_train.losses.mining.strategy import Strategy
from triplet_train.losses.mining.xla import index_type
from triplet_train.training.augmentation import Augment
from triplet_train.training.devices import Devices
from triplet_train.training.microbatches import embed_in_parts, embed_whole
from triplet_train.training.randomness import LAYERS, LOSS, fold, step_key


class StepFigures(NamedTuple):
    """What a step tells of itself; scalars, taken over the global batch before the update.

    Attributes:
        triplets: the loss and what belongs to it.
        embedding_spread: mean squared distance of the embeddings from their mean; 0 where all
            coincide, at most 1.
        gradient_norm: of all trainable weights together, before clipping.
        learning_rate: of this step.
        stopping: on how many replicas the worker has been asked to stop.
    """

    triplets: TripletStatistics
    embedding_spread: tf.Tensor
    gradient_norm: tf.Tensor
    learning_rate: tf.Tensor
    stopping: tf.Tensor


FIGURES = len(TripletStatistics._fields) + len(StepFigures._fields) - 1


def packed(figures: StepFigures) -> tf.Tensor:
    """All of them, float32 [`FIGURES`]."""
    return tf.stack([tf.cast(each, tf.float32) for each in (*figures.triplets, *figures[1:])])


def unpacked(rows: np.ndarray) -> StepFigures:
    """Those of n steps, [n] each, from rows [n, `FIGURES`] of `packed`."""
    of_loss = len(TripletStatistics._fields)
    columns = rows.T
    return StepFigures(TripletStatistics(*columns[:of_loss]), *columns[of_loss:])


Step = Any  # a traced function; its arguments are those that `make_step` names


def make_step(
    tower: keras.Model,
    optimizer: keras.Optimizer,
    strategy: Strategy,
    devices: Devices,
    *,
    seed: int,
    augment: Augment | None = None,
    clip_norm: float | None = None,
    microbatch: int | None = None,
    jit_compile: bool = False,
) -> Step:
    """(step int32 [], stopping int32 [], images, labels) -> StepFigures, one update of the weights.

    Images are uint8 [B / R, H, W, C] on each of R replicas: rows r, r + R, r + 2R ... of the batch
    on replica r. Labels are those of the whole batch, [B].

    Stage one embeds the images. Stage two takes the loss and its gradient with respect to the
    embeddings of the whole batch, brought together from all replicas, and each replica pushes its
    own rows of that gradient back through the tower. The sum over replicas, or over microbatches,
    is the gradient of the undivided batch. O(B^2) for the loss, on every replica. Every random
    number derives from (seed, step), so that a step can be repeated in isolation.

    Args:
        optimizer: built, and once only: a loss-scale optimizer makes its variables anew each time.
    """
    seed_states = _seed_states(tower)

    def on_replica(
        step: tf.Tensor, stopping: tf.Tensor, images: tf.Tensor, labels: tf.Tensor
    ) -> StepFigures:
        context = tf.distribute.get_replica_context()
        replicas, replica = context.num_replicas_in_sync, context.replica_id_in_sync_group
        key = step_key(seed, step)

        def seed_layers(part: tf.Tensor) -> None:
            for index, state in enumerate(seed_states):
                drawn = fold(key, LAYERS, index, replica, part)
                state.assign(tf.cast(drawn, state.dtype))

        if augment:  # before the parts, so that both ways of each through the tower see the same
            share = images.shape[0]
            rows = _rows_of_replica(share, context)
            images = augment(images, key, rows, replicas * share)
        if microbatch and microbatch < images.shape[0]:
            own, push_back = embed_in_parts(tower, images, microbatch, seed_layers)
        else:
            seed_layers(tf.constant(0))
            own, push_back = embed_whole(tower, images)

        embeddings, own_rows = _from_all_replicas(own, context)
        with tf.GradientTape() as tape:
            tape.watch(embeddings)
            triplets = strategy(labels, embeddings, fold(key, LOSS), step)
        pull = tf.gather(tape.gradient(triplets.loss, embeddings), own_rows)

        scale = _loss_scale(optimizer)
        *gradients, stopping = context.all_reduce(
            tf.distribute.ReduceOp.SUM, [*push_back(pull * scale), tf.cast(stopping, pull.dtype)]
        )
        norm = tf.linalg.global_norm(gradients)
        if clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, clip_norm * scale, use_norm=norm)
        figures = StepFigures(
            triplets,
            _spread(embeddings),
            norm / scale,
            tf.convert_to_tensor(optimizer.learning_rate),
            stopping,
        )
        # They are summed by now, and Keras sums them over the replicas once more.
        optimizer.apply([gradient / replicas for gradient in gradients])
        return figures

    @tf.function(jit_compile=jit_compile, autograph=False)
    def train_step(*arguments: tf.Tensor) -> StepFigures:
        return devices.run(on_replica, *arguments)

    return train_step


def _from_all_replicas(
    own: tf.Tensor, context: tf.distribute.ReplicaContext
) -> tuple[tf.Tensor, tf.Tensor]:
    """Embeddings of the whole batch in its order, and which of its rows are this replica's.

    The sum of buffers that are zero outside the replica's own rows: `all_gather` fails between
    processes on CPUs.
    """
    replicas = context.num_replicas_in_sync
    rows = _rows_of_replica(own.shape[0], context)
    if replicas == 1:
        return own, rows
    shape = [replicas * own.shape[0], own.shape[1]]
    buffer = tf.scatter_nd(rows[:, tf.newaxis], own, shape)
    return context.all_reduce(tf.distribute.ReduceOp.SUM, buffer), rows


def _rows_of_replica(share: int, context: tf.distribute.ReplicaContext) -> tf.Tensor:
    index = index_type()
    return tf.cast(context.replica_id_in_sync_group, index) + (
        context.num_replicas_in_sync * tf.range(share, dtype=index)
    )


def _spread(embeddings: tf.Tensor) -> tf.Tensor:
    """Not 1 - |mean|^2: vectors may be zero."""
    differences = embeddings - tf.reduce_mean(embeddings, axis=0)
    return tf.reduce_mean(tf.reduce_sum(tf.square(differences), axis=1))


def _loss_scale(optimizer: keras.Optimizer) -> tf.Tensor:
    return tf.convert_to_tensor(optimizer.scale_loss(tf.constant(1.0)))


def _seed_states(tower: keras.Model) -> list[keras.Variable]:
    """States of the layers that draw random numbers, such as dropout, in the model's order."""
    weights = {id(weight) for weight in tower.weights}
    return [variable for variable in tower.variables if id(variable) not in weights]
