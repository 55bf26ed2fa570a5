"""Resizing of images to the size that a tower takes."""

from collections.abc import Callable

import tensorflow as tf

from triplet_train.data.images import Shape

Resize = Callable[[tf.Tensor], tf.Tensor]


def make_resize(shape: Shape, policy: str) -> Resize:
    """Return a compiled function: uint8 [h, w, C] -> uint8 `shape`, [H, W, C].

    Interpolation is bilinear, with antialiasing where an image shrinks. An image that already has
    the size is not changed.

    Args:
        policy: `pad` keeps the aspect ratio and adds a black border; `crop` keeps the aspect ratio
            and cuts off two opposite margins of equal width; `resize` changes the aspect ratio.
    """
    height, width, channels = shape

    def pad(image: tf.Tensor) -> tf.Tensor:
        size = tf.cast(tf.shape(image)[:2], tf.float64)
        scale = tf.reduce_min((height, width) / size)
        rows, columns = tf.unstack(tf.cast(tf.maximum(tf.round(size * scale), 1), tf.int32))
        whole = stretch(image, (rows, columns))
        top, left = (height - rows) // 2, (width - columns) // 2
        return tf.image.pad_to_bounding_box(whole, top, left, height, width)

    def crop(image: tf.Tensor) -> tf.Tensor:
        rows, columns = tf.unstack(tf.cast(tf.shape(image)[:2], tf.float64))
        target = width / height
        kept_rows = tf.minimum(rows, tf.round(columns / target))
        kept_columns = tf.minimum(columns, tf.round(rows * target))
        kept = tf.cast(tf.maximum([kept_rows, kept_columns], 1), tf.int32)
        top, left = tf.unstack((tf.shape(image)[:2] - kept) // 2)
        return stretch(image[top : top + kept[0], left : left + kept[1]])

    def stretch(image: tf.Tensor, size: tuple[tf.Tensor, tf.Tensor] = (height, width)) -> tf.Tensor:
        return tf.image.resize(image, size, antialias=True)

    resized = {"pad": pad, "crop": crop, "resize": stretch}[policy]

    @tf.function(input_signature=[tf.TensorSpec((None, None, channels), tf.uint8)], autograph=False)
    def resize(image: tf.Tensor) -> tf.Tensor:
        def changed() -> tf.Tensor:
            return tf.cast(tf.round(tf.clip_by_value(resized(image), 0, 255)), tf.uint8)

        same = tf.reduce_all(tf.shape(image)[:2] == (height, width))
        return tf.ensure_shape(tf.cond(same, lambda: image, changed), shape)

    return resize
