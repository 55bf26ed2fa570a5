"""Through the tower and back, at once or a microbatch at a time."""

from collections.abc import Callable

import keras
import tensorflow as tf

Gradients = list[tf.Tensor]
PushBack = Callable[[tf.Tensor], Gradients]


def embed_whole(tower: keras.Model, images: tf.Tensor) -> tuple[tf.Tensor, PushBack]:
    """Embeddings of `images`, and what takes a gradient from there to the trainable weights."""
    with tf.GradientTape() as tape:
        embeddings = tower(images, training=True)
    weights = tower.trainable_variables
    return embeddings, lambda pull: tape.gradient(embeddings, weights, output_gradients=pull)


def embed_in_parts(
    tower: keras.Model, images: tf.Tensor, size: int, prepare: Callable[[tf.Tensor], None]
) -> tuple[tf.Tensor, PushBack]:
    """As `embed_whole`, holding the activations of `size` images at any time.

    Costs a second way through the tower: activations are not kept but computed again. Layers with
    batch statistics take them from each part alone, and their moving averages go on once per
    part. A part is every n-th image, so that it holds as many classes as it can.

    Args:
        images: [B, ...], B a multiple of `size`.
        prepare: called with the number of a part before each of its two ways through the tower,
            so that both draw the same random numbers.
    """
    total = images.shape[0]
    parts = total // size

    def rows(of: tf.Tensor, part: tf.Tensor) -> tf.Tensor:
        # Sliced, not gathered: for uint8 a GPU has a kernel for that only.
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
        variable.assign(value)  # moving averages, which the second way will move again

    def push_back(pull: tf.Tensor) -> Gradients:
        def add(part: tf.Tensor, *sums: tf.Tensor) -> tuple[tf.Tensor, ...]:
            with tf.GradientTape() as tape:
                embedded = forward(part)
            share = tape.gradient(
                embedded, tower.trainable_variables, output_gradients=rows(pull, part)
            )
            return (part + 1, *(a + b for a, b in zip(sums, share, strict=True)))

        zeros = [tf.zeros(weight.shape, weight.dtype) for weight in tower.trainable_variables]
        done = tf.while_loop(
            lambda part, *_: part < parts, add, (tf.constant(0), *zeros), parallel_iterations=1
        )
        return list(done[1:])

    return embeddings, push_back
