"""Facts about a saved Keras model: what it takes and returns. TensorFlow is not needed."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from triplet_train.errors import RequestError
from triplet_train.files import first_line
from triplet_train.models.hub import require_keras_hub
from triplet_train.registry import INPUT_RANGES

# Scaled pixels reach at least and at most as far from each other and from zero. Those of ImageNet
# reach from -2.1 to 2.6.
_NARROWEST, _FARTHEST = 0.5, 4.0
_NESTED = ("Functional", "Sequential")
_AFTER_FEATURES = ("Dense", "Activation", "Softmax", "Dropout")  # the end of a classifier


class KerasFile(NamedTuple):
    """Facts about a model.

    Attributes:
        path: the `.keras` file.
        shape: (H, W, C) of its images; H and W are None if any size will do.
        dtype: of its images.
        input_range: the pixels that it expects, a key of `INPUT_RANGES`.
    """

    path: Path
    shape: tuple[int | None, int | None, int]
    dtype: str
    input_range: str

    def __str__(self) -> str:
        height, width, channels = self.shape
        size = (
            f"{height} x {width} x {channels}"
            if height and width
            else f"any size, channels: {channels}"
        )
        return f"{self.path} takes pixels in {self.input_range}, {size}"

    def require(self, size: tuple[int, int] | None, channels: int | None) -> None:
        """Raise RequestError if the model takes no images of this size and number of channels."""
        if channels not in (None, self.shape[2]):
            raise RequestError(
                f"model.backbone: {self.path} takes images with {self.shape[2]} channels, not "
                f"{channels}; set data.channels: {self.shape[2]}"
            )
        height, width = self.shape[:2]
        if size and (height or size[0], width or size[1]) != size:
            raise RequestError(
                f"model.backbone: {self.path} takes images of {height or 'any'} x {width or 'any'} "
                f"pixels, not of {size[0]} x {size[1]}; set data.image_size: "
                f"[{height or size[0]}, {width or size[1]}]"
            )


def read_backbone(path: str, input_range: str | None = None) -> KerasFile:
    """Read the facts about a model that is to be a backbone.

    Args:
        path: a `.keras` file.
        input_range: the pixels that it expects, if the user gave them.

    Raises:
        RequestError: there is no such file; it is damaged; safe mode cannot load it; it is not a
            network from images to features; or the pixels that it expects are not known.
    """
    file = Path(path)
    if not file.is_file():
        raise RequestError(f"model.backbone: no file {file}")
    model = read_config(file)
    if any(map(_is_of_hub, _parts(model))):
        require_keras_hub(f"model.backbone: {file}")
    foreign = _foreign_parts(model)
    if foreign:
        raise RequestError(
            f"model.backbone: {file} has parts that are not Keras's own, and are not loaded: "
            f"{', '.join(foreign)}; save a network of Keras's layers"
        )
    if model.get("class_name") not in _NESTED:
        raise _odd(file, "is not a functional or sequential model")
    try:
        shape, dtype = _input(model)
        last, end = _end(model)
        first = _first(model)
    except (LookupError, TypeError, ValueError) as error:
        raise _odd(file, f"is not understood ({type(error).__name__}: {error})") from error
    if len(shape) != 4 or shape[3] is None:
        raise _odd(file, f"takes {shape}, not images [N, H, W, C]")
    if _is_softmax(last):
        raise RequestError(
            f"model.backbone: {file} ends in a softmax, whose probabilities are no features. Save "
            f"it without its last layers: keras.Model(model.inputs, {end}).save('features.keras')"
        )
    found = _range(first, file) if "float" in dtype else "0-255"
    if input_range and found and input_range != found:
        raise RequestError(
            f"model.input_range: {file} scales pixels in {found} itself; remove the key, or save "
            f"the network without what scales, to give it pixels in {input_range}"
        )
    if not (input_range or found):
        raise RequestError(
            f"model.backbone: {file} does not begin with a layer that tells which pixels it "
            "expects (a Rescaling or Normalization). Set model.input_range to the range in which "
            f"it was trained: {', '.join(INPUT_RANGES)}. Any other preprocessing has to be part of "
            "the file, as its first layers"
        )
    return KerasFile(file, (shape[1], shape[2], shape[3]), dtype, input_range or found or "")


def read_config(file: Path) -> dict[str, Any]:
    """Return the configuration of the model in a `.keras` file.

    Raises:
        RequestError: it is not such a file.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            config = json.loads(archive.read("config.json"))
        if not isinstance(config, dict):
            raise ValueError("its config.json is no object")
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise RequestError(
            f"{file} is damaged, or not a model that Keras 3 saved: {first_line(error)}"
        ) from error
    return config


def uses_keras_hub(file: Path) -> bool:
    """Return True if the model in a `.keras` file has parts of KerasHub. Raises RequestError."""
    return any(map(_is_of_hub, _parts(read_config(file))))


def _is_of_hub(part: dict[str, Any]) -> bool:
    return str(part.get("registered_name")).startswith("keras_hub>")


def _odd(file: Path, what: str) -> RequestError:
    return RequestError(
        f"model.backbone: {file} {what}; a backbone is a functional or sequential Keras model from "
        "one array of images [N, H, W, C] to one of vectors [N, F] or maps [N, h, w, F]"
    )


def _foreign_parts(config: Any) -> list[str]:
    """Return the names of parts that Keras itself does not have, or that are code."""
    names = []
    for part in _parts(config):
        name, module = str(part["class_name"]), str(part.get("module"))
        own = module.partition(".")[0] in ("keras", "builtins", "None")
        if _is_of_hub(part):
            continue
        if name.endswith("Lambda") or not own or ">" in str(part.get("registered_name")):
            names.append(str(part.get("registered_name") or name))
    return list(dict.fromkeys(names))


def _parts(config: Any) -> Iterator[dict[str, Any]]:
    if isinstance(config, dict):
        if "class_name" in config:
            yield config
        config = list(config.values())
    if isinstance(config, list):
        for value in config:
            yield from _parts(value)


def _layers(model: dict[str, Any]) -> list[dict[str, Any]]:
    layers: list[dict[str, Any]] = model["config"]["layers"]
    return layers


def _input(model: dict[str, Any]) -> tuple[list[int | None], str]:
    """Return the shape and dtype of the only input."""
    inputs = [layer["config"] for layer in _layers(model) if layer["class_name"] == "InputLayer"]
    if not inputs and _layers(model)[0]["class_name"] in _NESTED:
        return _input(_layers(model)[0])
    (only,) = inputs
    dtype = only["dtype"]
    return only["batch_shape"], dtype if isinstance(dtype, str) else dtype["config"]["name"]


def _first(model: dict[str, Any]) -> dict[str, Any] | None:
    """Return the layer that takes the images; None if there are several."""
    layers = _layers(model)
    if model["class_name"] == "Sequential":
        taking = [layer for layer in layers if layer["class_name"] != "InputLayer"][:1]
    else:
        (name,) = (layer["name"] for layer in layers if layer["class_name"] == "InputLayer")
        taking = [layer for layer in layers if name in _sources(layer)]
    if len(taking) != 1:
        return None
    return _first(taking[0]) if taking[0]["class_name"] in _NESTED else taking[0]


def _sources(layer: dict[str, Any]) -> list[str]:
    """Return the names of the layers whose outputs a layer takes."""
    tensors = _parts(layer.get("inbound_nodes"))
    return [
        part["config"]["keras_history"][0] for part in tensors if "keras_history" in part["config"]
    ]


def _end(model: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the last layer, and the expression in Python for the output before the classifier."""
    layers = _layers(model)
    if model["class_name"] == "Sequential":
        chain = layers[::-1]
    else:
        named = {layer["name"]: layer for layer in layers}
        outputs = model["config"]["output_layers"]
        (output,) = outputs if isinstance(outputs[0], list) else [outputs]
        chain = [named[output[0]]]
        while sources := _sources(chain[-1]):
            chain.append(named[sources[0]])
    if chain[0]["class_name"] in _NESTED:
        return _end(chain[0])[0], "FEATURES"
    names = (la["config"]["name"] for la in chain if la["class_name"] not in _AFTER_FEATURES)
    return chain[0], f"model.get_layer({next(names, None)!r}).output"


def _is_softmax(layer: dict[str, Any]) -> bool:
    activation = json.dumps(layer["config"].get("activation"))
    return layer["class_name"] == "Softmax" or "softmax" in activation


def _range(first: dict[str, Any] | None, file: Path) -> str | None:
    """Return the only range of pixels that the first layer scales to small numbers, if one is."""
    if first is None:
        return None
    config = first["config"]
    if first["class_name"] == "Rescaling":
        scale, offset = np.array(config["scale"]), np.array(config["offset"])
    elif first["class_name"] == "Normalization" and not config.get("invert"):
        statistics = config["mean"], config["variance"]
        if None in statistics:
            found = _adapted(file)
            if found is None:
                return None
            statistics = found
        mean, variance = map(np.array, statistics)
        scale = 1 / np.sqrt(np.maximum(variance, 1e-7))
        offset = -mean * scale
    else:
        return None
    fitting = []
    for name, pixels in INPUT_RANGES.items():
        low, high = (pixel * scale + offset for pixel in pixels)
        farthest = max(np.abs(low).max(), np.abs(high).max())
        if np.abs(high - low).min() >= _NARROWEST and farthest <= _FARTHEST:
            fitting.append(name)
    return fitting[0] if len(fitting) == 1 else None


def _adapted(file: Path) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the statistics of the only Normalization layer, which its data gave it."""
    with zipfile.ZipFile(file) as archive:
        weights = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(weights) as content:
        groups: list[str] = []
        content.visit(groups.append)
        found = [name for name in groups if name.endswith("/normalization/vars")]
        if len(found) != 1 or len(content[found[0]]) < 2:
            return None
        return content[found[0]]["0"][()], content[found[0]]["1"][()]
