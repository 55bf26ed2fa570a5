"""Vectors in 16 or 8 bits a dimension."""

import numpy as np

from triplet_train.errors import RunError

_LARGEST = 127  # of int8, on both sides of 0
_SPARE_BITS = np.uint32(0x7F)  # as many as _LARGEST has


def as_float16(vectors: np.ndarray) -> np.ndarray:
    """Round vectors, float32 [N, D], to float16.

    Raises:
        RunError: a number is too large.
    """
    if np.abs(vectors, dtype=np.float32).max(initial=0) > np.finfo(np.float16).max:
        raise RunError("the vectors are too large for float16; leave out --dtype")
    return vectors.astype(np.float16)


def as_int8(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Round vectors, float32 [N, D], to whole multiples of a scale for each.

    Vectors that were rounded before stay as they are, since a scale times any number of 7 bits is
    exact in float32.

    Returns:
        int8 [N, D] and the scales, float32 [N]. Their product is off by at most half a scale, which
        is 1/254 of the largest number of a vector.
    """
    bits = (np.abs(vectors).max(axis=1) / np.float32(_LARGEST)).view(np.uint32)
    scales = ((bits + _SPARE_BITS) & ~_SPARE_BITS).view(np.float32)
    steps = vectors / np.where(scales > 0, scales, np.float32(1))[:, None]
    return np.rint(steps).astype(np.int8), scales


def from_int8(numbers: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Return float32 [N, D] of int8 [N, D] and float32 [N]."""
    vectors: np.ndarray = numbers * scales[:, None]
    return vectors


def rounding_errors(vectors: np.ndarray, dtype: str) -> np.ndarray:
    """Return the largest possible distance of each vector from what was rounded to it, [N].

    Args:
        vectors: after rounding, float32 [N, D].
        dtype: `float32`, `float16` or `int8`, to which they were rounded.
    """
    if dtype == "float32":
        return np.zeros(len(vectors), np.float32)
    of_numbers = np.abs(vectors)
    if dtype == "float16":
        of_numbers *= np.finfo(np.float16).eps / 2
    else:
        of_numbers[:] = of_numbers.max(axis=1, keepdims=True) / (2 * _LARGEST)
    errors: np.ndarray = np.linalg.norm(of_numbers, axis=1)
    return errors
