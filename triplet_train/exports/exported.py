"""An exported tower, loaded by the runtime of its format."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

Run = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class ExportedTower:
    """A tower that another runtime executes. It is called like a Keras model.

    Attributes:
        about: the origin of the tower, plain JSON: triplet_train (the version), checkpoint_sha256,
            image_shape, dimensions, quantize, classes and config.
        run: uint8 [N, H, W, C] -> float32 [N, D].
        run_files: contents of N image files -> float32 [N, D], if the export takes them.
    """

    about: dict[str, Any]
    run: Run
    run_files: Callable[[list[bytes]], np.ndarray] | None = None

    @property
    def input_shape(self) -> tuple[None, int, int, int]:
        """(None, H, W, C), as of a Keras model."""
        height, width, channels = self.about["image_shape"]
        return None, height, width, channels

    @property
    def output_shape(self) -> tuple[None, int]:
        """(None, D), as of a Keras model."""
        return None, self.about["dimensions"]

    def __call__(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Embed uint8 [N, H, W, C] within a TensorFlow function."""
        return tf.ensure_shape(
            tf.numpy_function(self.run, [images], tf.float32, stateful=False), self.output_shape
        )


@dataclass(frozen=True)
class Options:
    """Contents of an export besides the network.

    Attributes:
        about: see `ExportedTower`.
        quantize: the type of the weights; None: float32.
        samples: images, uint8 [n, H, W, C], by which the ranges of int8 are calibrated.
        decode: the contents of image files -> uint8 [N, H, W, C], a TensorFlow function, if the
            export takes files.
    """

    about: dict[str, Any]
    quantize: str | None
    samples: np.ndarray
    decode: Callable[[tf.Tensor], tf.Tensor] | None = None
