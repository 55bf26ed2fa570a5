"""The networks of keras.applications as backbones: without their top, at the images' own size."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np

from triplet_train import registry
from triplet_train.config import ModelConfig
from triplet_train.errors import RequestError
from triplet_train.files import first_line

# What stands in front of each network, as its module's `preprocess_input` has it. Those that are
# not here begin with layers of their own that do it.
_SCALING = (
    dict.fromkeys((*registry.RESNET, *registry.VGG), "caffe")
    | dict.fromkeys(registry.DENSENET, "torch")
    | dict.fromkeys(
        (*registry.INCEPTION, *registry.MOBILENET, *registry.NASNET, *registry.RESNET_V2), "tf"
    )
)
# Of ImageNet's red, green and blue in [0, 1]; "caffe" has means of its own.
_MEAN = np.array([0.485, 0.456, 0.406])
_DEVIATION = np.array([0.229, 0.224, 0.225])
_CAFFE_MEAN = np.array([103.939, 116.779, 123.68])  # of blue, green and red in [0, 255]
# Of moving averages, as in the other towers. Theirs are up to 0.9997, for runs of a million steps:
# after 200 they would have hardly left where they began, and the tower be judged by them.
_MOMENTUM = 0.99
_MISFIT = (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError)


def features(
    images: keras.KerasTensor, model: ModelConfig, policy: keras.DTypePolicy, synchronized: bool
) -> keras.KerasTensor:
    """What the network sees in the images: its scaling, itself, the mean over all places.

    A frozen one infers, also while the head is trained: its averages and random layers stand still
    and nothing is differentiated.

    uint8 [N, H, W, C] -> [N, F].

    Raises:
        RequestError: the network does not take such images, or its weights cannot be loaded.
    """
    network = _network(model.tower, images.shape[1:], policy)
    if model.weights:
        _load(network, model.weights, model.tower)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = synchronized
            layer.momentum = min(layer.momentum, _MOMENTUM)
    x = _scaled(images, model.tower)
    if not model.freeze_backbone:
        return network(x)
    _freeze(network)
    return keras.ops.stop_gradient(network(x))


def _freeze(network: keras.Model) -> None:
    """Have it do in training what it does at rest."""
    network.trainable = False  # with which batch normalisation keeps to its moving averages
    for layer in network.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0  # a model around it passes its own `training` on, whatever it is given


def _network(name: str, shape: tuple[int, int, int], policy: keras.DTypePolicy) -> keras.Model:
    with _default_policy(policy):
        try:
            return getattr(keras.applications, name)(
                include_top=False, weights=None, pooling="avg", input_shape=shape
            )
        except ValueError as error:
            raise RequestError(
                f"data.image_size: {name} does not take images of {shape[0]} x {shape[1]}: "
                f"{first_line(error)}"
            ) from error


@contextmanager
def _default_policy(policy: keras.DTypePolicy) -> Iterator[None]:
    """The one way to a policy for layers that somebody else makes."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _scaled(images: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """The images as the network was trained on them, in float32.

    Images that have not three channels have no such means: they are scaled to [-1, 1], where the
    network does not scale any number of channels by itself.
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
    """Raises RequestError where the file does not hold exactly this network's weights."""
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
    """Keras only warns of some of the parts that a file lacks; here they would stay nan."""
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
    """Square what the published files of EfficientNet hold as variance: it is the deviation.

    tensorflow#49930. Keras makes up for it only in what it downloads itself.
    """
    mean, variance, count = layer.get_weights()
    if variance.shape == _DEVIATION.shape and np.allclose(variance, _DEVIATION, atol=1e-4):
        layer.set_weights([mean, variance**2, count])
        layer.finalize_state()
