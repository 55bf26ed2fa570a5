"""Checks of a foreign network and its first vectors."""

from collections.abc import Iterator

import keras
import numpy as np

_NEAR = 1e-3  # difference from 1
_SCALING = (
    keras.layers.Rescaling,
    keras.layers.Normalization,
    keras.layers.BatchNormalization,
)


def are_probabilities(vectors: np.ndarray) -> bool:
    """Return True if vectors, float32 [N, D], look like the output of a softmax."""
    sums = vectors.sum(axis=1, dtype=np.float64)
    return bool(vectors.shape[1] > 1 and (vectors >= 0).all() and (np.abs(sums - 1) <= _NEAR).all())


def remarks(tower: keras.Model, vectors: np.ndarray) -> Iterator[str]:
    """Yield warnings about vectors without unit length and pixels that are not scaled.

    Args:
        tower: gets pixels in 0..255.
        vectors: its first vectors, float32 [N, D].
    """
    lengths = np.linalg.norm(vectors, axis=1)
    low, high = lengths.min(), lengths.max()
    if max(1 - low, high - 1) > _NEAR:
        yield (
            f"its first {len(vectors):,} vectors are of length {low:.4g} to {high:.4g}, not 1; "
            "they are not normalised, so distances are not those of cosine similarity"
        )
    if not _scales(tower):
        yield (
            "no layer in it scales pixels before the first layer with weights. It gets pixels in "
            "0..255, which is wrong if it was trained with another range, such as 0..1"
        )


def _scales(tower: keras.Model) -> bool:
    if not tower.inputs[0].dtype.startswith("float"):
        return True
    for operation in _operations(tower):
        if isinstance(operation, _SCALING) or not isinstance(operation, keras.layers.Layer):
            return True  # arithmetic, which may scale
        if operation.weights:
            return False
    return False


def _operations(model: keras.Model) -> Iterator[keras.Operation]:
    """Yield the operations of a network and of nested networks, in order."""
    for operation in getattr(model, "operations", model.layers):
        if isinstance(operation, keras.Model):
            yield from _operations(operation)
        else:
            yield operation
