"""Embedding of a batch, at once or in microbatches with gradient caching.

Gradient caching is due to Gao et al., Scaling Deep Contrastive Learning Batch Size under Memory
Limited Setup (2021), https://arxiv.org/abs/2101.06983, known as GradCache.
"""

from collections.abc import Callable

import keras
import tensorflow as tf

from triplet_train.training.trained_tower import TrainedTower

Gradients = list[tf.Tensor]
Backpropagate = Callable[[tf.Tensor], Gradients]


def embed_whole(
    tower: keras.Model | TrainedTower, images: tf.Tensor
) -> tuple[tf.Tensor, Backpropagate]:
    """Return embeddings of `images`, and a function from their gradient to that of the weights."""
    with tf.GradientTape() as tape:
        embeddings = tower(images, training=True)
    return embeddings, lambda gradient: _gradients(tape, tower, embeddings, gradient)


def embed_in_microbatches(
    tower: keras.Model | TrainedTower,
    images: tf.Tensor,
    size: int,
    prepare: Callable[[tf.Tensor], None],
) -> tuple[tf.Tensor, Backpropagate]:
    """Return the same as `embed_whole`, with the activations of `size` images at a time.

    Activations are not kept but computed again on the way back, which costs a second forward pass.
    Layers with batch statistics compute them per microbatch, and update their moving averages once
    per microbatch. A microbatch is every n-th image, so that it holds as many classes as possible.

    Args:
        images: [B, ...], B a multiple of `size`.
        prepare: called with the number of a microbatch before each of its two forward passes, so
            that both draw the same random numbers.
    """
    total = images.shape[0]
    parts = total // size

    def rows(of: tf.Tensor, part: tf.Tensor) -> tf.Tensor:
        # A slice, since GPUs have no kernel to gather uint8.
        return tf.reshape(of, [size, parts, *of.shape[1:]])[:, part]

    def forward(part: tf.Tensor) -> tf.Tensor:
        prepare(part)
        return tower(rows(images, part), training=True)

    before = [tf.identity(variable) for variable in tower.non_trainable_variables]
    embeddings = tf.map_fn(
        forward,
        tf.range(parts),
        parallel_iterations=1,
        fn_output_signature=tf.TensorSpec([size, tower.output_shape[-1]]),
    )
    embeddings = tf.reshape(tf.transpose(embeddings, [1, 0, 2]), [total, -1])
    for variable, value in zip(tower.non_trainable_variables, before, strict=True):
        variable.assign(value)  # moving averages, which the second pass updates again

    def backpropagate(gradient: tf.Tensor) -> Gradients:
        def add(part: tf.Tensor, *sums: tf.Tensor) -> tuple[tf.Tensor, ...]:
            with tf.GradientTape() as tape:
                embedded = forward(part)
            share = _gradients(tape, tower, embedded, rows(gradient, part))
            return (part + 1, *(a + b for a, b in zip(sums, share, strict=True)))

        zeros = [tf.zeros(weight.shape, weight.dtype) for weight in tower.trainable_variables]
        done = tf.while_loop(
            lambda part, *_: part < parts, add, (tf.constant(0), *zeros), parallel_iterations=1
        )
        return list(done[1:])

    return embeddings, backpropagate


def _gradients(
    tape: tf.GradientTape,
    tower: keras.Model | TrainedTower,
    embeddings: tf.Tensor,
    gradient: tf.Tensor,
) -> Gradients:
    """Propagate the gradient of the embeddings back to the weights.

    Transformers look up the embeddings of positions, which gives sparse gradients, and may have
    tokens that they do not use.
    """
    weights = tower.trainable_variables
    found = tape.gradient(embeddings, weights, output_gradients=gradient)
    return [
        tf.zeros(weight.shape, weight.dtype) if each is None else tf.convert_to_tensor(each)
        for weight, each in zip(weights, found, strict=True)
    ]
