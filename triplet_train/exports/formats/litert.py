"""LiteRT (TensorFlow Lite). The origin is in the metadata of the flatbuffer."""

import json
import os
import tempfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

from triplet_train.exports.exported import ExportedTower, Options

_NAME = b"triplet_train"


def write(network: keras.Model, path: Path, options: Options) -> None:
    """Write a network to `path`, with the operations of LiteRT alone."""
    with tempfile.TemporaryDirectory() as folder:  # export(format="litert") is new in Keras 3.13
        network.export(folder, format="tf_saved_model", verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if options.quantize:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if options.quantize == "float16":
            converter.target_spec.supported_types = [tf.float16]
        elif options.quantize == "int8":
            samples = options.samples[:, None]
            converter.representative_dataset = lambda: ([image] for image in samples)
        model = flatbuffer_utils.convert_bytearray_to_object(converter.convert())
    content = schema.BufferT()
    content.data = np.frombuffer(json.dumps(options.about).encode(), np.uint8)
    model.buffers.append(content)
    entry = schema.MetadataT()
    entry.name, entry.buffer = _NAME, len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
    flatbuffer_utils.write_model(model, str(path))


def read(path: Path) -> ExportedTower:
    """Load an exported tower in LiteRT. Raises KeyError if it has no origin."""
    model = flatbuffer_utils.read_model(str(path))
    buffers = {entry.name: entry.buffer for entry in model.metadata or []}
    about = json.loads(bytes(model.buffers[buffers[_NAME]].data))
    interpreter = Interpreter(str(path), num_threads=os.cpu_count())
    interpreter.allocate_tensors()  # prints a line when first called
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()

    def run(images: np.ndarray) -> np.ndarray:
        interpreter.resize_tensor_input(taken["index"], images.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(taken["index"], images)
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(given["index"]))

    return ExportedTower(about, run)
