"""From images to vectors."""

import math
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from triplet_train.config import Config
from triplet_train.console import SILENT, Console
from triplet_train.data.images import ImageSet, ImageStream, ImageTable, Shape
from triplet_train.data.reading_ahead import read_ahead
from triplet_train.errors import RunError
from triplet_train.files import first_line

_AT_ONCE = 512  # images, unless a run has said that so many are too many
_BYTES_ON_GPU = 2**22  # of images: on a GPU, more than `_AT_ONCE` where they are as small as this

Embed = Callable[[ImageTable], np.ndarray]


def at_once(config: Config | None, image_shape: Shape) -> int:
    """Number of images in the tower of a run at a time, where no gradient is taken.

    A GPU would wait for the next 512 small images longer than they take there. Memory for the
    activations is bounded all the same, as it grows with the bytes of the images.
    """
    most = _AT_ONCE
    if tf.config.list_logical_devices("GPU"):
        most = max(most, _BYTES_ON_GPU // math.prod(image_shape))
    microbatch = config.train.microbatch if config else None
    return min(microbatch or most, most)


def make_embed(tower: keras.Model, batch_size: int) -> Embed:
    """A function: N images -> float32 [N, D], compiled once.

    It always uses the tower's current weights; memory is a batch of activations, a few of images
    and the result.
    Raises RunError where a vector is not finite, an image cannot be read or memory is short.
    """
    embed_batch = _compiled(tower)

    def embed(images: ImageTable) -> np.ndarray:
        batches = read_ahead(images.batches(batch_size))
        return np.concatenate([embed_batch(batch.images) for batch in batches])

    return embed


def embed_stream(
    tower: keras.Model, images: ImageStream, batch_size: int, console: Console = SILENT
) -> Iterator[tuple[ImageSet, np.ndarray]]:
    """Images with their vectors, float32 [n, D], a batch at a time.

    Raises RunError where a vector is not finite or memory is short.
    """
    embed_batch = _compiled(tower)
    with console.bar(images.rows, "embedding") as progress:
        for batch in read_ahead(images.batches(batch_size)):
            yield batch, embed_batch(batch.images)
            progress.update(len(batch))


def _compiled(tower: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    shape = (None, *tower.input_shape[1:])

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.uint8)], autograph=False)
    def call(images: tf.Tensor) -> tf.Tensor:
        return tower(images, training=False)

    def embed_batch(images: np.ndarray) -> np.ndarray:
        if not len(images):  # none of a batch could be read; not all layers take that
            return np.empty((0, tower.output_shape[-1]), np.float32)
        try:
            vectors: np.ndarray = call(tf.constant(images)).numpy()
        except tf.errors.ResourceExhaustedError as error:
            raise RunError(
                f"not enough memory for {len(images)} images at a time: {first_line(error)}. Fewer "
                "go through the tower with train.microbatch, or --batch-size of triplet-embed"
            ) from error
        if not np.isfinite(vectors).all():
            raise RunError("the tower gives vectors that are not finite")
        return vectors

    return embed_batch
