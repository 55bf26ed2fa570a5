"""ONNX, by way of tf2onnx. The origin is in metadata_props."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime

from triplet_train.exports.exported import ExportedTower, Options
from triplet_train.exports.network import INPUT, OUTPUT

_KEY = "triplet_train"
_WITH_WEIGHTS = ("Conv", "Gemm", "MatMul")


def write(network: keras.Model, path: Path, options: Options) -> None:
    """Write a network to `path`. float16 leaves the L2 normalisation in float32."""
    images = keras.InputSpec("uint8", network.input_shape, name=INPUT)
    network.export(str(path), format="onnx", verbose=False, input_signature=[images])
    model = onnx.load(path)
    _name_ends(model.graph)
    if options.quantize == "float16":
        model = _in_float16(model)
    elif options.quantize == "int8":
        model = _in_int8(model, path, options.samples)
    onnx.helper.set_model_props(model, {_KEY: json.dumps(options.about)})
    onnx.save(model, path)


def read(path: Path) -> ExportedTower:
    """Load an exported tower in ONNX Runtime, on the CPU. Raises KeyError if it has no origin."""
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3  # errors
    session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    about = json.loads(session.get_modelmeta().custom_metadata_map[_KEY])

    def run(images: np.ndarray) -> np.ndarray:
        (vectors,) = session.run([OUTPUT], {INPUT: images})
        return np.asarray(vectors)

    return ExportedTower(about, run)


def _name_ends(graph: onnx.GraphProto) -> None:
    """Call the output `embedding` and the free dimension N."""
    made = graph.output[0].name
    for node in graph.node:
        node.output[:] = [OUTPUT if name == made else name for name in node.output]
        node.input[:] = [OUTPUT if name == made else name for name in node.input]
    graph.output[0].name = OUTPUT
    for end in (graph.input[0], graph.output[0]):
        end.type.tensor_type.shape.dim[0].dim_param = "N"


def _in_float16(model: onnx.ModelProto) -> onnx.ModelProto:
    from onnxruntime.transformers.float16 import convert_float_to_float16

    last = max(n for n, node in enumerate(model.graph.node) if node.op_type in _WITH_WEIGHTS)
    after = [node.name for node in model.graph.node[last + 1 :]]  # squares exceed float16
    return convert_float_to_float16(model, keep_io_types=True, node_block_list=after)


def _in_int8(model: onnx.ModelProto, path: Path, samples: np.ndarray) -> onnx.ModelProto:
    from onnxruntime.quantization import CalibrationDataReader, quantize_static

    class Samples(CalibrationDataReader):
        def __init__(self) -> None:
            self._rest: Iterator[np.ndarray] = iter(samples[:, None])

        def get_next(self) -> dict[str, np.ndarray] | None:
            image = next(self._rest, None)
            return None if image is None else {INPUT: image}

    logging.getLogger().setLevel(logging.ERROR)  # it recommends to fold layers, which is done
    quantize_static(
        model, path, Samples(), op_types_to_quantize=list(_WITH_WEIGHTS), per_channel=True
    )
    return onnx.load(path)
