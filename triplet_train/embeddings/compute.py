"""From images to vectors."""

from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from triplet_train.data.images import ImageSet, ImageStream, ImageTable
from triplet_train.errors import RunError
from triplet_train.progress import progress_bar

Embed = Callable[[ImageTable], np.ndarray]


def make_embed(tower: keras.Model, batch_size: int = 512) -> Embed:
    """A function: N images -> float32 [N, D], compiled once.

    It always uses the tower's current weights; memory is a batch of activations and the result.
    Raises RunError where a vector is not finite or an image cannot be read.
    """
    embed_batch = _compiled(tower)

    def embed(images: ImageTable) -> np.ndarray:
        batches = images.batches(batch_size)
        return _finite(
            np.concatenate([embed_batch(tf.constant(batch.images)).numpy() for batch in batches])
        )

    return embed


def embed_stream(
    tower: keras.Model, images: ImageStream, batch_size: int, quiet: bool
) -> Iterator[tuple[ImageSet, np.ndarray]]:
    """Images with their vectors, float32 [n, D], a batch at a time.

    Raises RunError where a vector is not finite.
    """
    embed_batch = _compiled(tower)
    with progress_bar(images.rows, "embedding", quiet) as progress:
        for batch in images.batches(batch_size):
            yield batch, _finite(embed_batch(tf.constant(batch.images)).numpy())
            progress.update(len(batch))


def _compiled(tower: keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    shape = (None, *tower.input_shape[1:])

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.uint8)], autograph=False)
    def embed_batch(images: tf.Tensor) -> tf.Tensor:
        return tower(images, training=False)

    return embed_batch


def _finite(vectors: np.ndarray) -> np.ndarray:
    if not np.isfinite(vectors).all():
        raise RunError("the tower gives vectors that are not finite")
    return vectors
