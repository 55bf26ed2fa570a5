"""How batches reach the device: gathered and prefetched while the device computes."""

from functools import lru_cache

import numpy as np
import tensorflow as tf

from triplet_train.data.batches import PKBatches
from triplet_train.data.sources import ImageSet


def training_batches(
    images: ImageSet, batches: PKBatches, start: int, local: range, replicas: int
) -> tf.data.Dataset:
    """The batches of steps `start`, `start + 1`, ... without end, in the shares of `replicas`.

    Of each step an element for every replica in `local`, one after the other: replica r has rows
    r, r + R, r + 2R ... of the batch, so that its share holds as many classes as it can. Only
    these images are gathered; the labels are those of the whole batch.

    Elements are (images uint8 [P * K / R, H, W, C], labels int64 [P * K]).
    """
    rows_of = lru_cache(maxsize=1)(batches.rows)  # the replicas of a step ask one after the other

    def share(element: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        step, replica = divmod(int(element), len(local))
        rows = rows_of(step)
        return rows[local[replica] :: replicas], rows

    def static(element: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        own, rows = tf.numpy_function(share, [element], (tf.int64, tf.int64))
        return (
            tf.ensure_shape(own, [batches.size // replicas]),
            tf.ensure_shape(rows, [batches.size]),
        )

    with tf.device("CPU"):  # the set stays in main memory; batches go to the device
        pixels, labels = tf.constant(images.images), tf.constant(images.labels)
    shares = tf.data.Dataset.counter(start * len(local)).map(static)
    gathered = shares.map(lambda own, rows: (tf.gather(pixels, own), tf.gather(labels, rows)))
    return gathered.prefetch(2 * len(local))


def image_batches(images: np.ndarray, batch_size: int) -> tf.data.Dataset:
    """All images in their own order: uint8 [batch_size, H, W, C], the last one shorter."""
    with tf.device("CPU"):  # the set stays in main memory; batches go to the device
        table = tf.constant(images)
    starts = tf.data.Dataset.range(0, len(images), batch_size)
    return starts.map(lambda start: table[start : start + batch_size]).prefetch(2)
