"""Reading and prefetching of batches while the device computes."""

import numpy as np
import tensorflow as tf

from triplet_train.data.batches import PKBatches
from triplet_train.data.images import ImageTable

_BLOCK = 16  # steps drawn together, as each call of Python delays the training step


def training_batches(
    images: ImageTable, batches: PKBatches, start: int, local: range, replicas: int
) -> tf.data.Dataset:
    """Return the batches of steps `start`, `start + 1`, ... without end, as shares of `replicas`.

    A step has an element for every replica in `local`, in order: replica r gets images r, r + R,
    r + 2R ... of the batch, so that its share holds as many classes as possible. Only these images
    are read; the labels are those of the whole batch.

    Elements are (images uint8 [P * K / R, H, W, C], labels int64 [P * K]). Iteration raises
    tf.errors.OpError if an image cannot be read.
    """
    size, share = batches.size, batches.size // replicas

    def block(number: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        first = start + int(number) * _BLOCK
        rows = batches.rows_of(range(first, first + _BLOCK))
        own = [step_rows[replica::replicas] for step_rows in rows for replica in local]
        return np.stack(own), images.labels[np.repeat(rows, len(local), axis=0)]

    def shares(number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        own, labels = tf.numpy_function(block, [number], (tf.int64, tf.int64))
        elements = _BLOCK * len(local)
        return tf.ensure_shape(own, [elements, share]), tf.ensure_shape(labels, [elements, size])

    def read(rows: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = tf.numpy_function(images.read, [rows], tf.uint8)
        return tf.ensure_shape(pixels, [share, *images.image_shape]), labels

    return tf.data.Dataset.counter().map(shares).unbatch().map(read).prefetch(2 * len(local))
