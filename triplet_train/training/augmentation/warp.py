"""Resampling of images, each by its own affine map."""

import tensorflow as tf

from triplet_train.losses.mining.xla import gpu_without_xla, index_type


def warp(images: tf.Tensor, maps: tf.Tensor) -> tf.Tensor:
    """Read each pixel of the result, with bilinear interpolation, at the place given by a map.

    A place outside the image reads the nearest pixel of the edge: a plain background continues in
    its own colour, and no strokes appear, as they would by mirroring.

    Implemented with gathers, since TensorFlow's ImageProjectiveTransformV3 has no kernel for XLA.
    Costs O(n H W C), with about ten numbers per pixel in memory.

    Args:
        images: uint8 [n, H, W, C], of a static shape.
        maps: float32 [n, 2, 3]. Pixel (x, y) is read at (x', y') = map (x, y, 1), in pixels from
            the centre of the image, with x to the right and y down.

    Returns:
        float32 [n, H, W, C], between 0 and 255. A map to whole pixels gives exact values.
    """
    count, height, width, channels = images.shape
    x = tf.range(width, dtype=tf.float32) - (width - 1) / 2
    y = tf.range(height, dtype=tf.float32) - (height - 1) / 2

    def read_at(axis: int, size: int) -> tf.Tensor:
        """Return the coordinate to read at, in pixels from the first one, [n, H, W]."""
        by_x, by_y, offset = tf.unstack(maps[:, axis, :, tf.newaxis], axis=1)
        rows = by_y * y + (offset + (size - 1) / 2)
        place = (by_x * x)[:, tf.newaxis, :] + rows[:, :, tf.newaxis]
        return tf.clip_by_value(place, 0.0, size - 1.0)

    left, right, to_right = _neighbours(read_at(0, width), width)
    upper, lower, to_lower = _neighbours(read_at(1, height), height)
    # Gathering uint8 is fastest, but on a GPU only XLA can do it.
    flat = tf.cast(images, tf.float32 if gpu_without_xla() else tf.uint8)
    flat = tf.reshape(flat, [count, height * width, channels])

    def pixels(row: tf.Tensor, column: tf.Tensor) -> tf.Tensor:
        return tf.cast(tf.gather(flat, row * width + column, batch_dims=1), tf.float32)

    def between(row: tf.Tensor) -> tf.Tensor:
        first = pixels(row, left)
        return first + to_right * (pixels(row, right) - first)

    above = between(upper)
    return above + to_lower * (between(lower) - above)


def _neighbours(place: tf.Tensor, size: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return the pixels on both sides of a place, [n, H, W], and the distance from the first,
    float32 [n, H, W, 1]."""
    before = tf.floor(place)
    first = tf.cast(before, index_type())
    return first, tf.minimum(first + 1, size - 1), (place - before)[..., tf.newaxis]
