"""The EXIF orientation of an image file, read within a TensorFlow graph."""

from collections.abc import Callable

import tensorflow as tf

_EXIF = b"Exif\0\0"
_TAG = 0x0112
_UPRIGHT = 1


def make_orientation() -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Return a function: a file and its kind (0 JPEG, 1 PNG, 2 WebP) -> its orientation, 1 to 8.

    A file without one, or with damaged EXIF data, is upright. Source: EXIF 2.32, section 4.5, for
    the data; the definitions of the formats for where they are.
    """

    def orientation(file: tf.Tensor, kind: tf.Tensor) -> tf.Tensor:
        content = tf.cast(tf.io.decode_raw(file, tf.uint8), tf.int32)
        data = tf.switch_case(kind, [lambda k=k: _walk(file, content, *k) for k in _KINDS])
        return tf.cond(data > 0, lambda: _of_data(content, data), lambda: tf.constant(_UPRIGHT))

    return orientation


def _number(content: tf.Tensor, at: tf.Tensor, size: int, big: bool | tf.Tensor) -> tf.Tensor:
    """Return the unsigned number in `size` bytes; 0 beyond the end."""
    places = at[..., None] + tf.range(size)
    inside = (places >= 0) & (places < tf.size(content))
    found = tf.where(inside, tf.gather(content, tf.where(inside, places, 0)), 0)
    found = tf.where(big, found, tf.reverse(found, [-1]))
    return tf.reduce_sum(found * [256**power for power in reversed(range(size))], axis=-1)


# Each kind of file is a chain of parts: where the first is, the name that begins the part with EXIF
# data, and its head of so many bytes. The last gives the size of the part at a place.
_Size = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
_KINDS: list[tuple[int, int, bytes, int, _Size]] = [
    (2, 0, b"\xff\xe1", 4, lambda x, at: 2 + _number(x, at + 2, 2, True)),
    (8, 4, b"eXIf", 8, lambda x, at: 12 + _number(x, at, 4, True)),
    (12, 0, b"EXIF", 8, lambda x, at: 8 + (_number(x, at + 4, 4, False) + 1) // 2 * 2),
]


def _walk(
    file: tf.Tensor,
    content: tf.Tensor,
    first: int,
    offset: int,
    name: bytes,
    head: int,
    size: _Size,
) -> tf.Tensor:
    """Return the place of the EXIF data in a file, or 0."""
    end = tf.size(content) - head - len(_EXIF)

    def part(at: tf.Tensor, begin: int, length: int) -> tf.Tensor:
        return tf.strings.substr(file, at + begin, length)

    def step(at: tf.Tensor, found: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        marked = part(at, head, len(_EXIF)) == _EXIF
        here = part(at, offset, len(name)) == name
        if name[:1] == b"\xff":
            here &= marked  # other data, as of Adobe, have the same name in JPEG
        data = at + head + tf.where(marked, len(_EXIF), 0)
        length = size(content, at)
        # A damaged length ends the walk.
        following = tf.where((length > 0) & (length <= end - at), at + length, end)
        return following, tf.where(here, data, 0)

    def more(at: tf.Tensor, found: tf.Tensor) -> tf.Tensor:
        going = (found == 0) & (at < end)
        if name[:1] == b"\xff":  # the pixels of a JPEG file follow the part FF DA
            inside = tf.minimum(at, end - 1)
            return going & (content[inside] == 0xFF) & (content[inside + 1] != 0xDA)
        return going

    return tf.cond(
        end > first,
        lambda: tf.while_loop(more, step, (tf.constant(first), tf.constant(0)))[1],
        lambda: tf.constant(0),
    )


def _of_data(content: tf.Tensor, data: tf.Tensor) -> tf.Tensor:
    """Return the orientation in EXIF data, which begin at `data`."""
    big = content[data] == ord("M")
    table = data + _number(content, data + 4, 4, big)
    entries = table + 2 + 12 * tf.range(_number(content, table, 2, big))
    value = _number(content, entries + 8, 2, big)
    fits = (_number(content, entries, 2, big) == _TAG) & (value >= 1) & (value <= 8)
    return tf.reduce_max(tf.concat([tf.where(fits, value, 0), [_UPRIGHT]], 0))
