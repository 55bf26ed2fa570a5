"""Conversion and validation of the labels of a batch."""

import tensorflow as tf


def class_labels(y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
    """Convert labels to int64 [B].

    Args:
        y_true: integers [B] or [B, 1].
        y_pred: embeddings [B, D] of the same images.

    Raises:
        TypeError: the labels are not integers (as float32, labels above 2**24 coincide).
        ValueError: the shapes do not fit. If they are known only when a traced function is called,
            that call raises tf.errors.InvalidArgumentError.
    """
    labels = tf.convert_to_tensor(y_true)
    if not labels.dtype.is_integer:
        raise TypeError(f"labels must be integers, not {labels.dtype.name}")
    if y_pred.shape.rank not in (2, None):
        raise ValueError(f"embeddings must be [B, D], not {y_pred.shape}")
    if labels.shape.rank == 2 and labels.shape[1] not in (1, None):
        raise ValueError(f"labels must be [B] or [B, 1], not {labels.shape}: one label per image")
    labels = tf.reshape(tf.cast(labels, tf.int64), [-1])
    sizes = labels.shape[0], y_pred.shape[0]
    if None not in sizes and sizes[0] != sizes[1]:
        raise ValueError(f"{sizes[0]} labels for {sizes[1]} embeddings")
    tf.debugging.assert_equal(
        tf.shape(labels)[0], tf.shape(y_pred)[0], "labels and embeddings differ in number"
    )
    return labels
