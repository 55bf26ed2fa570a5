"""A tower in training, with parts of it at rest."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import keras
import tensorflow as tf

from triplet_train.registry import BACKBONE


class TrainedTower:
    """A tower of which a step trains the head only, or whose batch statistics stand still.

    It has the members of `keras.Model` that a step uses, and stands in its place. The tower itself
    is not changed: it is saved and evaluated as ever.

    Args:
        tower: made by `build_tower`.
        frozen: the backbone computes as in inference, is not differentiated, and its weights are
            not among `trainable_variables`.
        still: batch normalisation uses its moving averages and does not change them, while its
            other weights are trained.

    Attributes:
        trainable_variables: the weights that a step trains.
        non_trainable_variables: the variables that computing embeddings may change.
        weights, variables: those of the whole tower.
        output_shape: (None, D).
    """

    def __init__(self, tower: keras.Model, *, frozen: bool = False, still: bool = False) -> None:
        self._backbone: keras.Model | None
        self._backbone, self._rest = divided(tower) if frozen else (None, tower)
        self._still = batch_normalisations(self._rest) if still else []
        self.trainable_variables = self._rest.trainable_variables
        self.non_trainable_variables = self._rest.non_trainable_variables
        self.weights, self.variables = tower.weights, tower.variables
        self.output_shape = tower.output_shape

    def __call__(self, images: tf.Tensor, training: bool) -> tf.Tensor:
        """Return the embeddings of uint8 images [N, H, W, C], float32 [N, D]."""
        if self._backbone:
            images = tf.stop_gradient(self._backbone(images, training=False))
        with _at_rest(self._still):
            return self._rest(images, training=training)


def divided(tower: keras.Model) -> tuple[keras.Model, keras.Model]:
    """Return the backbone, images to features, and the head, features to embeddings.

    Both share the layers of the tower.
    """
    backbone = tower.get_layer(BACKBONE)
    following = tower.operations[tower.operations.index(backbone) + 1]
    return backbone, keras.Model(following.input, tower.output)


def batch_normalisations(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    """Return the layers of batch normalisation, also those within other layers."""
    normalisation = keras.layers.BatchNormalization
    return [layer for layer in model._flatten_layers() if isinstance(layer, normalisation)]


@contextmanager
def _at_rest(layers: Iterable[keras.Layer]) -> Iterator[None]:
    """Let layers of batch normalisation compute as in inference while a step is traced.

    Keras does so for layers that are not trainable. It reads this when the layer is called; the
    weights to train were listed before.
    """
    before = [(layer, layer.trainable) for layer in layers]
    for layer, _ in before:
        layer.trainable = False
    try:
        yield
    finally:
        for layer, trainable in before:
            layer.trainable = trainable
