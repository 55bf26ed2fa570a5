"""How batches reach the device: gathered and prefetched while the device computes."""

import numpy as np
import tensorflow as tf

from triplet_train.data.batches import PKBatches
from triplet_train.data.sources import ImageSet


def training_batches(
    images: ImageSet, batches: PKBatches, start: int, stop: int
) -> tf.data.Dataset:
    """The batches of steps `start` to `stop - 1`, in order.

    Elements are (images uint8 [P * K, H, W, C], labels int64 [P * K]).
    """
    rows = tf.data.Dataset.range(start, stop).map(
        lambda step: tf.ensure_shape(
            tf.numpy_function(lambda s: batches.rows(int(s)), [step], tf.int64), [None]
        )
    )
    return rows.map(_gather(images)).prefetch(2)


def image_batches(images: np.ndarray, batch_size: int) -> tf.data.Dataset:
    """All images in their own order: uint8 [batch_size, H, W, C], the last one shorter."""
    with tf.device("CPU"):  # the set stays in main memory; batches go to the device
        table = tf.constant(images)
    starts = tf.data.Dataset.range(0, len(images), batch_size)
    return starts.map(lambda start: table[start : start + batch_size]).prefetch(2)


def _gather(images: ImageSet):
    with tf.device("CPU"):
        pixels, labels = tf.constant(images.images), tf.constant(images.labels)
    return lambda rows: (tf.gather(pixels, rows), tf.gather(labels, rows))
