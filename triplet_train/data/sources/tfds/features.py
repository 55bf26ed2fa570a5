"""The image and the label among the features of a TFDS data set."""

from typing import NamedTuple

import numpy as np
import tensorflow_datasets as tfds

from triplet_train.config import DataConfig
from triplet_train.data.images import Shape
from triplet_train.errors import RequestError


class Features(NamedTuple):
    """Features of a data set, and the images that are made of them.

    Attributes:
        image: decodes the image.
        image_shape: height, width and channels of the images as they are read.
        resized: images are stored in another size, or in sizes that vary.
        converted: images are stored with another number of channels.
        label_key: the name of the label; None if images have no label.
        classes: names in the order of the labels; empty if classes have no names.
    """

    image: tfds.features.Image
    image_shape: Shape
    resized: bool
    converted: bool
    label_key: str | None
    classes: list[str]


def choose_features(info: tfds.core.DatasetInfo, data: DataConfig) -> Features:
    """Return the features that `data` names.

    Raises:
        RequestError: no such features, or not a uint8 image and an integer; or images vary in size
            or channels, and `data` does not choose one.
    """
    features, dataset = info.features, data.dataset
    if not isinstance(features, tfds.features.FeaturesDict):
        raise RequestError(f"data.dataset: {dataset} has no features by name")
    image = _feature(features, data.image_key, "image_key", dataset)
    if not isinstance(image, tfds.features.Image) or image.np_dtype != np.uint8:
        raise RequestError(
            f"data.image_key: {data.image_key!r} of {dataset} is not a uint8 image; "
            f"it has {_names(features)}"
        )
    # A set may have no feature with the default name, but a name that was given must exist.
    label_key = data.label_key if data.label_key in features else None
    classes: list[str] = []
    if label_key or data.label_key != "label":
        label = _feature(features, data.label_key, "label_key", dataset)
        if label.shape != () or not np.issubdtype(label.np_dtype, np.integer):
            raise RequestError(
                f"data.label_key: {data.label_key!r} of {dataset} is not one integer per "
                f"image; it has {_names(features)}"
            )
        classes = label.names if isinstance(label, tfds.features.ClassLabel) else []
    *stored, stored_channels = image.shape
    height, width = data.image_size or stored
    if height is None or width is None:
        raise RequestError(
            f"data.image_size: the images of {dataset} vary in size; "
            "give the [H, W] to which they are resized"
        )
    channels = data.channels or stored_channels
    if channels is None:
        raise RequestError(
            f"data.channels: the images of {dataset} vary in channels; "
            "give 1 for grey or 3 for colour"
        )
    return Features(
        image,
        (height, width, channels),
        stored != [height, width],
        data.channels not in (None, stored_channels),
        label_key,
        classes,
    )


def _feature(
    features: tfds.features.FeaturesDict, key: str, option: str, dataset: str
) -> tfds.features.FeatureConnector:
    if key not in features:
        raise RequestError(
            f"data.{option}: {dataset} has no feature {key!r}; it has {_names(features)}"
        )
    return features[key]


def _names(features: tfds.features.FeaturesDict) -> str:
    return ", ".join(features)
