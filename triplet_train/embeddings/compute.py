"""From images to vectors."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from triplet_train.data.pipeline import image_batches
from triplet_train.errors import RunError
from triplet_train.progress import progress_bar

Embed = Callable[..., np.ndarray]


def make_embed(tower: keras.Model, batch_size: int = 512) -> Embed:
    """A function (images uint8 [N, H, W, C], quiet=True) -> float32 [N, D], compiled once.

    It always uses the tower's current weights; memory is a batch of activations and the result.
    Raises RunError where a vector is not finite.
    """
    shape = (None, *tower.input_shape[1:])

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.uint8)], autograph=False)
    def embed_batch(images: tf.Tensor) -> tf.Tensor:
        return tower(images, training=False)

    def embed(images: np.ndarray, quiet: bool = True) -> np.ndarray:
        vectors = np.empty((len(images), tower.output_shape[-1]), np.float32)
        stop = 0
        with progress_bar(len(images), "embedding", quiet) as progress:
            for batch in image_batches(images, batch_size):
                start, stop = stop, stop + len(batch)
                vectors[start:stop] = embed_batch(batch)
                progress.update(stop - start)
        if not np.isfinite(vectors).all():
            raise RunError("the tower gives vectors that are not finite")
        return vectors

    return embed
