"""How batches reach the device: gathered and prefetched while the device computes."""

import numpy as np
import tensorflow as tf

from triplet_train.data.batches import PKBatches
from triplet_train.data.images import ImageSet

_BLOCK = 16  # steps drawn at once: Python is entered less often, which the step's own calls feel


def training_batches(
    images: ImageSet, batches: PKBatches, start: int, local: range, replicas: int
) -> tf.data.Dataset:
    """The batches of steps `start`, `start + 1`, ... without end, in the shares of `replicas`.

    Of each step an element for every replica in `local`, one after the other: replica r has rows
    r, r + R, r + 2R ... of the batch, so that its share holds as many classes as it can. Only
    these images are gathered; the labels are those of the whole batch.

    Elements are (images uint8 [P * K / R, H, W, C], labels int64 [P * K]).
    """

    def block(number: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        first = start + int(number) * _BLOCK
        rows = [batches.rows(step) for step in range(first, first + _BLOCK)]
        own = [step_rows[replica::replicas] for step_rows in rows for replica in local]
        return np.stack(own), np.repeat(rows, len(local), axis=0)

    def shares(number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        own, rows = tf.numpy_function(block, [number], (tf.int64, tf.int64))
        return (
            tf.ensure_shape(own, [_BLOCK * len(local), batches.size // replicas]),
            tf.ensure_shape(rows, [_BLOCK * len(local), batches.size]),
        )

    with tf.device("CPU"):  # the set stays in main memory; batches go to the device
        pixels, labels = tf.constant(images.images), tf.constant(images.labels)
    return (
        tf.data.Dataset.counter()
        .map(shares)
        .unbatch()
        .map(lambda own, rows: (tf.gather(pixels, own), tf.gather(labels, rows)))
        .prefetch(2 * len(local))
    )


def image_batches(images: np.ndarray, batch_size: int) -> tf.data.Dataset:
    """All images in their own order: uint8 [batch_size, H, W, C], the last one shorter."""
    with tf.device("CPU"):  # the set stays in main memory; batches go to the device
        table = tf.constant(images)
    starts = tf.data.Dataset.range(0, len(images), batch_size)
    return starts.map(lambda start: table[start : start + batch_size]).prefetch(2)
