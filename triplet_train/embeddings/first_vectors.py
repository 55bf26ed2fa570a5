"""Checks of a network that others trained, and of the first vectors that it gives."""

from collections.abc import Iterator

import keras
import numpy as np

_NEAR = 1e-3  # of 1
_SCALING = (
    keras.layers.Rescaling,
    keras.layers.Normalization,
    keras.layers.BatchNormalization,
)


def are_probabilities(vectors: np.ndarray) -> bool:
    """True if vectors, float32 [N, D], look like the output of a softmax over D classes."""
    sums = vectors.sum(axis=1, dtype=np.float64)
    return bool(vectors.shape[1] > 1 and (vectors >= 0).all() and (np.abs(sums - 1) <= _NEAR).all())


def remarks(tower: keras.Model, vectors: np.ndarray) -> Iterator[str]:
    """Warnings about vectors that are not of length one, and pixels that nothing scales.

    Args:
        tower: takes images in 0..255.
        vectors: the first that it gives, float32 [N, D].
    """
    lengths = np.linalg.norm(vectors, axis=1)
    low, high = lengths.min(), lengths.max()
    if max(1 - low, high - 1) > _NEAR:
        yield (
            f"its first {len(vectors):,} vectors are of length {low:.4g} to {high:.4g}, not 1; "
            "they are taken as they are, so that distances are in that scale, not those of cosine"
        )
    if not _scales(tower):
        yield (
            "it takes floats, and no layer in it scales them before the first with weights; it is "
            "given pixels in 0..255, which is wrong if it was trained on 0..1 or another range"
        )


def _scales(tower: keras.Model) -> bool:
    if not tower.inputs[0].dtype.startswith("float"):
        return True
    for operation in _operations(tower):
        if isinstance(operation, _SCALING) or not isinstance(operation, keras.layers.Layer):
            return True  # arithmetic is no layer
        if operation.weights:
            return False
    return False


def _operations(model: keras.Model) -> Iterator[keras.Operation]:
    """Those of a network and of the networks in it, in order."""
    for operation in getattr(model, "operations", model.layers):
        if isinstance(operation, keras.Model):
            yield from _operations(operation)
        else:
            yield operation
