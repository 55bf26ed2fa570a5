"""A SavedModel, for TensorFlow Serving. The origin is in assets.extra/triplet_train.json."""

import json
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from triplet_train.exports.exported import ExportedTower, Options
from triplet_train.exports.network import INPUT, OUTPUT
from triplet_train.exports.output import ABOUT

_IMAGES, _FILES = "images", "files"  # signatures
_FILE = "image_bytes"  # the suffix makes TensorFlow Serving decode base64


def write(network: keras.Model, path: Path, options: Options) -> None:
    """Write a network to the folder `path`.

    The signature `images` takes uint8 images. With `options.decode`, the signature `files` takes
    the contents of image files, and is `serving_default`.
    """
    archive = keras.export.ExportArchive()
    archive.track(network)
    decode = options.decode

    def images(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {OUTPUT: network(image, training=False)}

    def files(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        shape = tf.TensorSpec(network.input_shape[1:], tf.uint8)
        return images(tf.map_fn(decode, image_bytes, fn_output_signature=shape))

    if decode:  # serving_default is the first
        archive.add_endpoint(_FILES, files, [tf.TensorSpec([None], tf.string, _FILE)])
    archive.add_endpoint(_IMAGES, images, [tf.TensorSpec(network.input_shape, tf.uint8, INPUT)])
    archive.write_out(str(path), verbose=False)
    about = path / ABOUT
    about.parent.mkdir()
    about.write_text(json.dumps(options.about, indent=1), encoding="utf-8")


def read(path: Path) -> ExportedTower:
    """Load an exported tower by its signatures. Raises OSError if it has no origin."""
    about = json.loads((path / ABOUT).read_text(encoding="utf-8"))
    signatures = tf.saved_model.load(str(path)).signatures

    def run(images: np.ndarray) -> np.ndarray:
        return np.asarray(signatures[_IMAGES](**{INPUT: tf.constant(images)})[OUTPUT])

    def run_files(files: list[bytes]) -> np.ndarray:
        return np.asarray(signatures[_FILES](**{_FILE: tf.constant(files)})[OUTPUT])

    return ExportedTower(about, run, run_files if _FILES in signatures else None)
