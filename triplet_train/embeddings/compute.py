"""Computing the embeddings of images."""

import math
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from triplet_train.config import Config
from triplet_train.console import SILENT, Console
from triplet_train.data.images import ImageBatch, ImageTable, Shape
from triplet_train.errors import RunError
from triplet_train.files import first_line

_AT_ONCE = 512  # images; train.microbatch of a run may lower it
_BYTES_ON_GPU = 2**22  # of small images that a GPU takes at a time

Embed = Callable[[ImageTable], np.ndarray]
Look = Callable[[np.ndarray], object]


def at_once(config: Config | None, image_shape: Shape) -> int:
    """Return the number of images to embed at a time.

    A GPU takes more small images, since it embeds 512 of them faster than they arrive. Memory for
    activations stays bounded, because it grows with the bytes of the images.
    """
    most = _AT_ONCE
    if tf.config.list_logical_devices("GPU"):
        most = max(most, _BYTES_ON_GPU // math.prod(image_shape))
    microbatch = config.train.microbatch if config else None
    return min(microbatch or most, most)


def make_embed(tower: keras.Model, batch_size: int) -> Embed:
    """Return a function: table of N images -> float32 [N, D]. It is compiled once.

    It uses the current weights of the tower. Memory is that of the activations of one batch, of the
    pixels of three and of the result.

    The function raises:
        RunError: a vector is not finite, an image cannot be read or there is not enough memory.
    """
    embed_batch = _compiled(tower)

    def embed(images: ImageTable) -> np.ndarray:
        return np.concatenate([embed_batch(b.images) for b in images.batches(batch_size)])

    return embed


def embed_batches(
    tower: keras.Model,
    images: ImageTable,
    batch_size: int,
    console: Console = SILENT,
    *,
    flip: bool = False,
    look: Look = lambda vectors: None,
) -> Iterator[tuple[ImageBatch, np.ndarray]]:
    """Yield batches of images with their vectors, float32 [n, D].

    Args:
        flip: average the vectors of each image and its mirror image, see `averaged`; twice the
            time.
        look: called with the first vectors that the tower gives, before they are averaged.

    Raises:
        RunError: see `make_embed`; images that cannot be read may be left out, see `ImageTable`.
    """
    embed_batch = _compiled(tower)
    looked = False
    with console.bar(len(images), "embedding") as progress:
        for batch in images.batches(batch_size):
            vectors = embed_batch(batch.images)
            if not looked and len(vectors):
                look(vectors)
                looked = True
            if flip:
                vectors = averaged(vectors, embed_batch(batch.images[:, :, ::-1]))
            yield batch, vectors
            progress.update(len(batch))


def averaged(vectors: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the mean directions of pairs of vectors, as long as the two are on average.

    Two vectors of length one give a vector of length one, and opposite vectors the zero vector.

    Args:
        vectors, others: float32 [N, D].

    Returns:
        float32 [N, D].
    """
    sums = vectors + others
    lengths = [np.linalg.norm(part, axis=1, keepdims=True) for part in (vectors, others, sums)]
    return sums * ((lengths[0] + lengths[1]) / 2 / np.where(lengths[2] > 0, lengths[2], 1))


def _compiled(tower: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    shape = (None, *tower.input_shape[1:])

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.uint8)], autograph=False)
    def call(images: tf.Tensor) -> tf.Tensor:
        return tower(images, training=False)

    def embed_batch(images: np.ndarray) -> np.ndarray:
        if not len(images):  # none could be read; some layers fail for an empty batch
            return np.empty((0, tower.output_shape[-1]), np.float32)
        try:
            vectors: np.ndarray = call(tf.constant(images)).numpy()
        except tf.errors.ResourceExhaustedError as error:
            raise RunError(
                f"not enough memory for {len(images)} images at a time: {first_line(error)}. Set a "
                "smaller train.microbatch (triplet-train) or --batch-size (triplet-embed); "
                "instead of triplet-eval --checkpoint, run triplet-embed and then triplet-eval "
                "--queries"
            ) from error
        if not np.isfinite(vectors).all():
            raise RunError("some vectors of the tower are not finite (NaN or infinity)")
        return vectors

    return embed_batch
