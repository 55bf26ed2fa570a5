"""A saved Keras model as backbone."""

import keras

from triplet_train.config import ModelConfig
from triplet_train.errors import RequestError
from triplet_train.models.embedder import load_model
from triplet_train.models.keras_file import read_backbone
from triplet_train.models.tower import all_layers
from triplet_train.registry import BACKBONE, INPUT_RANGES

_SCALING = (keras.layers.Rescaling, keras.layers.Normalization)


def features(
    images: keras.KerasTensor, model: ModelConfig, policy: keras.DTypePolicy
) -> keras.KerasTensor:
    """Apply the model in the file `model.backbone`, to pixels in the range that it expects.

    All of its layers are trained, also those that were frozen when it was saved. They compute in
    the precision of the run, except those that scale pixels. The head of an embedder of this
    package is left out; if it computes in the same precision already, its layers keep theirs.

    `tower.Features` describes the arguments. Returns features [N, F] or maps [N, h, w, F].

    Raises:
        RequestError: the file is not a backbone, or does not take these images.
    """
    assert model.backbone  # required by the schema
    file = read_backbone(model.backbone, model.input_range)
    height, width, channels = images.shape[1:]
    file.require((height, width), channels)
    network = load_model(file.path)
    kept = False
    if any(layer.name == BACKBONE for layer in network.layers):
        head = next(layer for layer in network.layers if isinstance(layer, keras.layers.Dense))
        kept = head.dtype_policy.name == policy.name
        network = network.get_layer(BACKBONE)
    network.trainable = True
    for layer in all_layers(network):
        layer.trainable = True
        if not (kept or isinstance(layer, _SCALING)):
            layer.dtype_policy = policy
    x = network(_ranged(images, file.input_range, file.dtype))
    if not isinstance(x, keras.KerasTensor) or len(x.shape) not in (2, 4):
        shapes = keras.tree.map_structure(lambda tensor: tensor.shape, x)
        raise RequestError(
            f"model.backbone: {file.path} returns {shapes}, not vectors [N, F] or maps [N, h, w, F]"
        )
    if len(x.shape) == 2 and model.pooling:
        raise RequestError(
            f"model.pooling: {file.path} returns vectors {x.shape}, which are not pooled; remove "
            "the key, or save the network up to its last map"
        )
    return x


def _ranged(images: keras.KerasTensor, name: str, dtype: str) -> keras.KerasTensor:
    """Scale pixels from 0..255 to a range of `INPUT_RANGES`, in float32 if they change."""
    low, high = INPUT_RANGES[name]
    if (low, high) == (0.0, 255.0):
        return images if dtype == images.dtype else keras.ops.cast(images, dtype)
    return keras.layers.Rescaling((high - low) / 255, low, dtype="float32")(images)
