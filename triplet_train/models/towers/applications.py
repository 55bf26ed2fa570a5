"""Networks of keras.applications as backbones, without their top."""

import io
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from keras.src.backend.config import keras_home
from keras.src.utils import file_utils

from triplet_train import registry
from triplet_train.config import ModelConfig
from triplet_train.errors import RequestError
from triplet_train.files import first_line

# Scaling of the pixels, named as in `preprocess_input` of each module. The other networks begin
# with layers that scale.
_SCALING = (
    dict.fromkeys((*registry.RESNET, *registry.VGG), "caffe")
    | dict.fromkeys(registry.DENSENET, "torch")
    | dict.fromkeys(
        (*registry.INCEPTION, *registry.MOBILENET, *registry.NASNET, *registry.RESNET_V2), "tf"
    )
)
# Mean and deviation of ImageNet's red, green and blue in [0, 1]; "caffe" has its own means.
_MEAN = np.array([0.485, 0.456, 0.406])
_DEVIATION = np.array([0.229, 0.224, 0.225])
_CAFFE_MEAN = np.array([103.939, 116.779, 123.68])  # blue, green and red in [0, 255]
_MISFIT = (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError)


def features(
    images: keras.KerasTensor, model: ModelConfig, policy: keras.DTypePolicy
) -> keras.KerasTensor:
    """Scale pixels as the network needs it, then apply the network.

    `tower.Features` describes the arguments. Returns [N, F], or maps [N, h, w, F] for a generalised
    mean. Keras itself takes average and maximum, since ConvNeXt normalises what is pooled.

    Raises:
        RequestError: the network does not take images of this shape, or its weights cannot be
            loaded.
    """
    pooling = None if model.pooling == "gem" else model.pooling or "avg"
    network = _network(model.tower, images.shape[1:], pooling, policy)
    if model.weights == registry.IMAGENET:
        file = published_weights(model.tower, images.shape[1:]).get(print)
        _load(network, str(file), model.tower)
    elif model.weights:
        _load(network, model.weights, model.tower)
    return network(_scaled(images, model.tower))


class Published(NamedTuple):
    """Weights that Keras publishes for a network.

    Attributes:
        file: where Keras keeps them once they are downloaded.
        url: where they come from.
        options: further arguments of `keras.utils.get_file`.
    """

    file: Path
    url: str
    options: dict[str, Any]

    def get(self, say: Callable[[str], None]) -> Path:
        """Download the weights, unless the file exists. `say` gets a line before a download.

        Raises:
            RequestError: the file cannot be downloaded.
        """
        if self.file.is_file():
            return self.file
        say(f"downloading {self.url} to {self.file}")
        try:
            with redirect_stdout(io.StringIO()):  # the progress of Keras
                return Path(file_utils.get_file(self.file.name, self.url, **self.options))
        except Exception as error:  # Keras raises nothing more special
            raise RequestError(
                f"model.weights: imagenet: Keras looks for {self.file.name} in {self.file.parent}, "
                f"where it is not, and cannot download it: {first_line(error)}. On a machine with "
                f"a network, download {self.url}, and copy it to {self.file}"
            ) from error


class _Asked(BaseException):
    """Carries the arguments with which Keras asks for a file."""


def published_weights(name: str, shape: tuple[int, int, int]) -> Published:
    """Return the weights that Keras takes for images of this shape. Nothing is downloaded.

    Raises:
        RequestError: the network does not take images of this shape, or not with these weights.
    """
    if shape[2] != 3:
        raise RequestError(
            f"model.weights: imagenet is for images with 3 channels, not {shape[2]}; set "
            "data.channels: 3"
        )

    def ask(name: str, url: str, **options: Any) -> None:
        raise _Asked(name, url, options)

    get_file, file_utils.get_file = file_utils.get_file, ask
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MobileNet about sizes without weights of their own
            _network(name, shape, None, keras.DTypePolicy("float32"), registry.IMAGENET)
        raise AssertionError(f"{name} asks for no file")
    except _Asked as asked:
        name, url, options = asked.args
    finally:
        file_utils.get_file = get_file
    home = Path(keras_home()).expanduser()
    if not os.access(home, os.W_OK):  # as Keras decides
        home = Path("/tmp" if os.path.isdir("/tmp") else tempfile.gettempdir(), ".keras")
    return Published(home / options["cache_subdir"] / name, url, options)


def _network(
    name: str,
    shape: tuple[int, int, int],
    pooling: str | None,
    policy: keras.DTypePolicy,
    weights: str | None = None,
) -> keras.Model:
    with _default_policy(policy):
        try:
            return getattr(keras.applications, name)(
                include_top=False, weights=weights, pooling=pooling, input_shape=shape
            )
        except ValueError as error:
            raise RequestError(
                f"data.image_size: {name} does not take images of {shape[0]} x {shape[1]}: "
                f"{first_line(error)}"
            ) from error


@contextmanager
def _default_policy(policy: keras.DTypePolicy) -> Iterator[None]:
    """Set the default policy, which layers made inside Keras take."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _scaled(images: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Scale images as in the network's original training, in float32.

    The means are those of three channels. Images with another number of channels are scaled to
    [-1, 1], unless the network itself scales any number of channels.
    """
    scaling = _SCALING.get(name)
    if images.shape[-1] != 3 and (scaling or name in registry.CONVNEXT):
        scaling = "tf"
    if scaling == "tf":
        return keras.layers.Rescaling(1 / 127.5, -1.0, dtype="float32")(images)
    if scaling == "torch":
        scale, offset = 1 / (255 * _DEVIATION), -_MEAN / _DEVIATION
        return keras.layers.Rescaling(scale.tolist(), offset.tolist(), dtype="float32")(images)
    if scaling == "caffe":
        x = keras.ops.flip(images, axis=-1)  # to blue, green, red
        return keras.layers.Rescaling(1.0, (-_CAFFE_MEAN).tolist(), dtype="float32")(x)
    return images


def _load(network: keras.Model, path: str, name: str) -> None:
    """Load the weights; raise RequestError if the file does not hold exactly these."""
    channels = network.input_shape[-1]
    try:
        _load_all(network, path)
    except _MISFIT as error:
        hint = "; published files are for 3 channels, so set data.channels: 3" * (channels != 3)
        raise RequestError(
            f"model.weights: {path} does not hold the weights of {name} without its top for "
            f"{channels}-channel images{hint}: {first_line(error)}"
        ) from error
    for layer in network.layers:
        if isinstance(layer, keras.layers.Normalization) and layer.weights:
            _mend(layer)


def _load_all(network: keras.Model, path: str) -> None:
    """Load the weights; raise ValueError if some are missing, where Keras may only warn."""
    for weight in network.weights:
        if "float" in weight.dtype:
            weight.assign(np.full(weight.shape, np.nan))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network.load_weights(path)
    lacking = [weight.path for weight in network.weights if not np.isfinite(weight).all()]
    if lacking:
        raise ValueError(f"{len(lacking)} arrays are missing or not finite, first {lacking[0]}")


def _mend(layer: keras.layers.Normalization) -> None:
    """Square the deviation that published files of EfficientNet hold as the variance.

    See tensorflow#49930. Keras corrects only the files that it downloads itself.
    """
    mean, variance, count = layer.get_weights()
    if variance.shape == _DEVIATION.shape and np.allclose(variance, _DEVIATION, atol=1e-4):
        layer.set_weights([mean, variance**2, count])
        layer.finalize_state()
