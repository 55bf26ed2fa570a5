"""Weights of an earlier tower for a new one of the same network."""

from pathlib import Path

import keras

from triplet_train.errors import RequestError
from triplet_train.models.embedder import load_embedder


def take_weights(tower: keras.Model, file: Path) -> list[str]:
    """Give a new tower the weights of a saved one; return a line for each difference.

    The dense layer keeps its initial weights if its shape differs: for another number of
    dimensions, or where the size of the images determines the number of features, as in cnn.

    Args:
        tower: made by `build_tower`.
        file: a tower of an earlier run; see `load_embedder`.

    Raises:
        RequestError: the file cannot be loaded, or its network is another one.
    """
    earlier = load_embedder(file)
    (ours, our_dense), (theirs, their_dense) = _weights(tower), _weights(earlier)
    if not their_dense or len(ours) != len(theirs):
        raise _misfit(file, f"it has {len(theirs)} arrays before its dense layer, not {len(ours)}")
    for number, (one, other) in enumerate(zip(ours, theirs, strict=True), 1):
        if one.shape != other.shape:
            channels = tower.input_shape[-1], earlier.input_shape[-1]
            hint = f"; set data.channels: {channels[1]}" if channels[0] != channels[1] else ""
            raise _misfit(
                file, f"its array {number}, {other.path}, is {other.shape}, not {one.shape}{hint}"
            )
    lines = []
    if earlier.input_shape != tower.input_shape:
        sizes = (" x ".join(map(str, each.input_shape[1:])) for each in (earlier, tower))
        lines.append("images: " + " -> ".join(sizes))
    if [w.shape for w in our_dense] == [w.shape for w in their_dense]:
        ours, theirs = [*ours, *our_dense], [*theirs, *their_dense]
    else:
        shapes = (" x ".join(map(str, dense[0].shape)) for dense in (their_dense, our_dense))
        lines.append("the dense layer begins anew: " + " -> ".join(shapes))
    for one, other in zip(ours, theirs, strict=True):
        one.assign(other.numpy())
    return lines


def _weights(tower: keras.Model) -> tuple[list[keras.Variable], list[keras.Variable]]:
    """Return the weights before the last dense layer, and those of this layer."""
    layers = [layer for layer in tower.layers if isinstance(layer, keras.layers.Dense)]
    dense: list[keras.Variable] = layers[-1].weights if layers else []
    known = {id(weight) for weight in dense}
    return [weight for weight in tower.weights if id(weight) not in known], dense


def _misfit(file: Path, reason: str) -> RequestError:
    return RequestError(f"model.init: {file} does not fit the network of this run: {reason}")
