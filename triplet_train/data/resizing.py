"""Bringing images of any size to the one that a tower takes."""

from collections.abc import Callable

import tensorflow as tf

from triplet_train.data.images import Shape

Fit = Callable[[tf.Tensor], tf.Tensor]


def make_fit(shape: Shape, policy: str) -> Fit:
    """A compiled function: uint8 [h, w, C] -> `shape`, [H, W, C].

    Bilinear, and smoothed where an image shrinks; one that has the size already stays as it is.

    Args:
        policy: `pad` keeps the ratio of the sides and all of the image, with zeros around it;
            `crop` keeps the ratio and cuts off what is too long, on both sides alike; `resize`
            changes the ratio.
    """
    height, width, channels = shape

    def pad(image: tf.Tensor) -> tf.Tensor:
        size = tf.cast(tf.shape(image)[:2], tf.float64)
        scale = tf.reduce_min((height, width) / size)
        rows, columns = tf.unstack(tf.cast(tf.maximum(tf.round(size * scale), 1), tf.int32))
        whole = tf.image.resize(image, (rows, columns), antialias=True)
        top, left = (height - rows) // 2, (width - columns) // 2
        return tf.image.pad_to_bounding_box(whole, top, left, height, width)

    def crop(image: tf.Tensor) -> tf.Tensor:
        rows, columns = tf.unstack(tf.cast(tf.shape(image)[:2], tf.float64))
        target = width / height
        kept_rows = tf.minimum(rows, tf.round(columns / target))
        kept_columns = tf.minimum(columns, tf.round(rows * target))
        kept = tf.cast(tf.maximum([kept_rows, kept_columns], 1), tf.int32)
        top, left = tf.unstack((tf.shape(image)[:2] - kept) // 2)
        part = image[top : top + kept[0], left : left + kept[1]]
        return tf.image.resize(part, (height, width), antialias=True)

    def resize(image: tf.Tensor) -> tf.Tensor:
        return tf.image.resize(image, (height, width), antialias=True)

    scaled = {"pad": pad, "crop": crop, "resize": resize}[policy]

    @tf.function(input_signature=[tf.TensorSpec((None, None, channels), tf.uint8)], autograph=False)
    def fit(image: tf.Tensor) -> tf.Tensor:
        def changed() -> tf.Tensor:
            return tf.cast(tf.round(tf.clip_by_value(scaled(image), 0, 255)), tf.uint8)

        fits = tf.reduce_all(tf.shape(image)[:2] == (height, width))
        return tf.ensure_shape(tf.cond(fits, lambda: image, changed), shape)

    return fit
