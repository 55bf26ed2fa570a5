"""The training step, compiled: embed, compute the loss, propagate its gradient to the weights."""

from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from triplet_train.losses.mining.statistics import TripletStatistics
from triplet_train.losses.mining.strategy import MiningFunction
from triplet_train.losses.mining.xla import index_type
from triplet_train.training.augmentation import Augment
from triplet_train.training.devices import Devices
from triplet_train.training.microbatches import embed_in_microbatches, embed_whole
from triplet_train.training.randomness import LAYERS, LOSS, fold, step_key
from triplet_train.training.trained_tower import TrainedTower


class StepMetrics(NamedTuple):
    """Metrics of a step: scalars of the whole batch, computed before the update.

    Attributes:
        triplets: the loss and statistics of the triplets.
        embedding_spread: mean squared distance of the embeddings from their mean; 0 if all
            coincide, at most 1.
        gradient_norm: norm of the gradient of all trainable weights, before clipping.
        learning_rate: rate of this step.
        stopping: number of replicas whose worker was asked to stop.
    """

    triplets: TripletStatistics
    embedding_spread: tf.Tensor
    gradient_norm: tf.Tensor
    learning_rate: tf.Tensor
    stopping: tf.Tensor


COLUMNS = len(TripletStatistics._fields) + len(StepMetrics._fields) - 1


def packed(metrics: StepMetrics) -> tf.Tensor:
    """Return all metrics as one tensor, float32 [`COLUMNS`]."""
    return tf.stack([tf.cast(each, tf.float32) for each in (*metrics.triplets, *metrics[1:])])


def unpacked(rows: np.ndarray) -> StepMetrics:
    """Return the metrics of n steps, [n] each, from rows [n, `COLUMNS`] of `packed`."""
    of_loss = len(TripletStatistics._fields)
    columns = rows.T
    return StepMetrics(TripletStatistics(*columns[:of_loss]), *columns[of_loss:])


Step = Any  # a traced function; its arguments are those that `make_step` names


def make_step(
    tower: keras.Model | TrainedTower,
    optimizer: keras.Optimizer,
    strategy: MiningFunction,
    devices: Devices,
    *,
    seed: int,
    augment: Augment | None = None,
    clip_norm: float | None = None,
    microbatch: int | None = None,
    jit_compile: bool = False,
) -> Step:
    """Return a function of (step, stopping, images, labels) that updates the weights once.

    Its arguments are step and stopping, int32 scalars; images, uint8 [B / R, H, W, C] on each of R
    replicas, where replica r has rows r, r + R, r + 2R ... of the batch; and the labels of the
    whole batch, [B]. It returns `StepMetrics`.

    The step has two stages. The first embeds the images. The second computes the loss and its
    gradient with respect to the embeddings of the whole batch, gathered from all replicas; each
    replica then propagates its rows of this gradient back through the tower. The sum over replicas
    is the gradient of the undivided batch. With microbatches this is gradient caching (GradCache,
    Gao et al. 2021). The loss costs O(B^2) on each replica. All random numbers derive from
    (seed, step), so that a step can be repeated in isolation.

    Args:
        optimizer: already built for these weights and perhaps more, since a loss-scale optimizer
            would create its variables again.
        microbatch: images in the tower at a time; None: all.
    """
    seed_states = _seed_states(tower)

    def on_replica(
        step: tf.Tensor, stopping: tf.Tensor, images: tf.Tensor, labels: tf.Tensor
    ) -> StepMetrics:
        context = tf.distribute.get_replica_context()
        replicas, replica = context.num_replicas_in_sync, context.replica_id_in_sync_group
        key = step_key(seed, step)

        def seed_layers(part: tf.Tensor) -> None:
            for index, state in enumerate(seed_states):
                drawn = fold(key, LAYERS, index, replica, part)
                state.assign(tf.cast(drawn, state.dtype))

        if augment:  # once, since both passes of a microbatch must see the same images
            share = images.shape[0]
            rows = _rows_of_replica(share, context)
            images = augment(images, key, rows, replicas * share)
        if microbatch and microbatch < images.shape[0]:
            own_embeddings, backpropagate = embed_in_microbatches(
                tower, images, microbatch, seed_layers
            )
        else:
            seed_layers(tf.constant(0))
            own_embeddings, backpropagate = embed_whole(tower, images)

        embeddings, own_rows = _from_all_replicas(own_embeddings, context)
        with tf.GradientTape() as tape:
            tape.watch(embeddings)
            triplets = strategy(labels, embeddings, fold(key, LOSS), step)
        own_gradient = tf.gather(tape.gradient(triplets.loss, embeddings), own_rows)

        scale = _loss_scale(optimizer)
        *gradients, stopping = context.all_reduce(
            tf.distribute.ReduceOp.SUM,
            [*backpropagate(own_gradient * scale), tf.cast(stopping, own_gradient.dtype)],
        )
        norm = tf.linalg.global_norm(gradients)
        if clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, clip_norm * scale, use_norm=norm)
        metrics = StepMetrics(
            triplets,
            _spread(embeddings),
            norm / scale,
            tf.convert_to_tensor(optimizer.learning_rate),
            stopping,
        )
        # Keras sums over the replicas once more.
        summands = [gradient / replicas for gradient in gradients]
        optimizer.apply(summands, tower.trainable_variables)
        return metrics

    @tf.function(jit_compile=jit_compile, autograph=False)
    def train_step(*arguments: tf.Tensor) -> StepMetrics:
        return devices.run(on_replica, *arguments)

    return train_step


def _from_all_replicas(
    own_embeddings: tf.Tensor, context: tf.distribute.ReplicaContext
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the embeddings of the whole batch in its order, and the rows of this replica.

    They are the sum of buffers that are zero outside the rows of a replica, since `all_gather`
    fails between processes on CPUs.
    """
    replicas = context.num_replicas_in_sync
    rows = _rows_of_replica(own_embeddings.shape[0], context)
    if replicas == 1:
        return own_embeddings, rows
    share, dimensions = own_embeddings.shape
    buffer = tf.scatter_nd(rows[:, tf.newaxis], own_embeddings, [replicas * share, dimensions])
    return context.all_reduce(tf.distribute.ReduceOp.SUM, buffer), rows


def _rows_of_replica(share: int, context: tf.distribute.ReplicaContext) -> tf.Tensor:
    index = index_type()
    return tf.cast(context.replica_id_in_sync_group, index) + (
        context.num_replicas_in_sync * tf.range(share, dtype=index)
    )


def _spread(embeddings: tf.Tensor) -> tf.Tensor:
    """Return the mean squared distance from the mean. (1 - |mean|^2 is wrong for zero vectors.)"""
    differences = embeddings - tf.reduce_mean(embeddings, axis=0)
    return tf.reduce_mean(tf.reduce_sum(tf.square(differences), axis=1))


def _loss_scale(optimizer: keras.Optimizer) -> tf.Tensor:
    return tf.convert_to_tensor(optimizer.scale_loss(tf.constant(1.0)))


def _seed_states(tower: keras.Model | TrainedTower) -> list[keras.Variable]:
    """Return the states of layers that draw random numbers, such as dropout, in model order."""
    weights = {id(weight) for weight in tower.weights}
    return [variable for variable in tower.variables if id(variable) not in weights]
