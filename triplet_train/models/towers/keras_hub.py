"""A network of KerasHub as backbone."""

import difflib
import math
from pathlib import Path
from typing import Any

import keras

from triplet_train.config import ModelConfig
from triplet_train.errors import RequestError
from triplet_train.files import first_line
from triplet_train.models import hub


def features(
    images: keras.KerasTensor, model: ModelConfig, policy: keras.DTypePolicy
) -> keras.KerasTensor:
    """Scale pixels as the preset does, then apply its network.

    Of a network for images and texts, only the part for images is taken. Of a network that returns
    a token for each patch of the image, the features are its class token. If there is none, or if
    `model.pooling` is given, they are pooled from the tokens of the patches.

    `tower.Features` describes the arguments. Returns features [N, F] or maps [N, h, w, F].

    Raises:
        RequestError: KerasHub is not installed; the preset cannot be loaded; or it takes no images
            of this shape.
    """
    assert model.backbone  # required by the schema
    keras_hub = hub.keras_hub("model.tower: keras_hub")
    network = _network(keras_hub, model.backbone, images.shape[1:], policy)
    x = _scaling(keras_hub, model.backbone)(images)
    x = network({name: x for name in network.input} if isinstance(network.input, dict) else x)
    if not isinstance(x, keras.KerasTensor) or len(x.shape) not in (2, 3, 4):
        raise RequestError(
            f"model.backbone: {model.backbone} is a {type(network).__name__}, which gives no "
            "features of one image; choose another preset"
        )
    if len(x.shape) == 3:
        return _of_tokens(x, network, model.pooling)
    if len(x.shape) == 2 and model.pooling:
        raise RequestError(
            f"model.pooling: {model.backbone} returns vectors, which are not pooled; remove the key"
        )
    return x


def _network(
    keras_hub: Any, preset: str, shape: tuple[int, int, int], policy: keras.DTypePolicy
) -> keras.Model:
    """Load the part for images, for images of this shape."""
    load = keras_hub.models.Backbone.from_preset
    network = _loaded(keras_hub, preset, load, dtype=policy)
    if encoder := getattr(network, "vision_encoder", None):  # keeps a precision of its own
        network = type(encoder).from_config(encoder.get_config() | {"dtype": policy})
        network.set_weights(encoder.get_weights())
    if len(network.inputs) != 1 or len(network.inputs[0].shape) != 4:
        raise RequestError(
            f"model.backbone: {preset} is a {type(network).__name__}, which does not take images"
        )
    own = network.inputs[0].shape[1:]
    resized = (keras_hub.models.DINOV2Backbone, keras_hub.models.DINOV3Backbone)
    if own != shape and own[2] == shape[2] and isinstance(network, resized):
        return _loaded(keras_hub, preset, load, dtype=policy, image_shape=shape)
    if own[2] not in (None, shape[2]):
        raise RequestError(
            f"model.backbone: {preset} takes images with {own[2]} channels, not {shape[2]}; set "
            f"data.channels: {own[2]}"
        )
    if any(length not in (None, given) for length, given in zip(own, shape, strict=True)):
        raise RequestError(
            f"model.backbone: {preset} takes images of {own[0]} x {own[1]} pixels, not of "
            f"{shape[0]} x {shape[1]}; set data.image_size: [{own[0]}, {own[1]}]"
        )
    return network


def _scaling(keras_hub: Any, preset: str) -> keras.layers.Layer:
    """Return the preset's scaling of pixels as a layer of Keras. The run resizes images itself."""
    converter = _loaded(keras_hub, preset, keras_hub.layers.ImageConverter.from_preset)
    scale = 1.0 if converter.scale is None else converter.scale
    offset = 0.0 if converter.offset is None else converter.offset
    return keras.layers.Rescaling(scale, offset, dtype="float32")


def _loaded(keras_hub: Any, preset: str, load: Any, **options: Any) -> Any:
    """Load a part of a preset; raise RequestError for whatever goes wrong."""
    try:
        return load(preset, **options)
    except Exception as error:  # of KerasHub, Keras, Kaggle, Hugging Face and their networks
        known = keras_hub.models.Backbone.presets
        near = difflib.get_close_matches(preset, known, n=1)
        if "://" not in preset and preset not in known and not Path(preset).is_dir():
            raise RequestError(
                f"model.backbone: {preset} is neither a preset of KerasHub nor a folder"
                + (f"; did you mean {near[0]}?" if near else "")
            ) from error
        raise RequestError(
            f"model.backbone: the preset {preset} cannot be loaded: {first_line(error)}. Without a "
            "network, give a folder: on a machine with one, save the preset with save_to_preset() "
            "of the Backbone and of its ImageConverter, and copy it"
        ) from error


def _of_tokens(
    tokens: keras.KerasTensor, network: keras.Model, pooling: str | None
) -> keras.KerasTensor:
    """Return the class token of [N, T, F]; or the tokens of the patches, as maps [N, T, 1, F].

    Other tokens, such as those of registers, come before those of the patches.
    """
    patch, (height, width) = getattr(network, "patch_size", 1), network.inputs[0].shape[1:3]
    size = patch if isinstance(patch, int) else math.isqrt(math.prod(patch))
    patches = (height // size) * (width // size)
    if tokens.shape[1] > patches and not pooling:
        return tokens[:, 0]
    return keras.ops.expand_dims(tokens[:, -patches:], axis=2)
