"""The image and the label among the features of a TFDS data set."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from triplet_train.config import DataConfig
from triplet_train.data.images import Shape
from triplet_train.errors import RequestError


class Label(NamedTuple):
    """A feature that is the label, or the group.

    Attributes:
        key: its name in a tf.train.Example.
        type: int64 or string, as which it is stored.
        names: of the integers from 0; empty if the feature does not name them.
    """

    key: str
    type: tf.DType
    names: list[str]


class Features(NamedTuple):
    """Features of a data set, and the images that are made of them.

    Attributes:
        image_shape: height, width and channels of the images as they are read.
        resized: images are stored in another size, or in sizes that vary.
        converted: images are stored with another number of channels.
        label: the label; None if images have no label.
        group: the camera, sequence or day; None if it is not asked for.
    """

    image_shape: Shape
    resized: bool
    converted: bool
    label: Label | None
    group: Label | None


def choose_features(info: tfds.core.DatasetInfo, data: DataConfig) -> Features:
    """Return the features that `data` names.

    Raises:
        RequestError: no such features, or not one uint8 image with one integer or text; or images
            vary in size or channels, and `data` does not choose one.
    """
    features, dataset = info.features, data.dataset
    if not isinstance(features, tfds.features.FeaturesDict):
        raise RequestError(
            f"data.dataset: {dataset} has no named features, such as image and label"
        )
    image = _feature(features, data.image_key, "image_key", dataset)
    if not isinstance(image, tfds.features.Image) or image.np_dtype != np.uint8:
        raise RequestError(
            f"data.image_key: {data.image_key!r} of {dataset} is not a uint8 image; "
            f"it has {_names(features)}"
        )
    # A set may have no feature with the default name, but a name that was given must exist.
    label = None
    if data.label_key in features or data.label_key != "label":
        label = _label(features, data.label_key, "label_key", dataset)
    group = data.group_key and _label(features, data.group_key, "group_key", dataset)
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
        (height, width, channels),
        stored != [height, width],
        data.channels not in (None, stored_channels),
        label,
        group or None,
    )


def _label(features: tfds.features.FeaturesDict, key: str, option: str, dataset: str) -> Label:
    """Return a feature that is one integer, boolean or text. Raises RequestError for others."""
    found = _feature(features, key, option, dataset)
    type_ = found.np_dtype
    is_text, is_bool = type_ == np.object_, type_ == np.bool_
    if found.shape != () or not (is_text or is_bool or np.issubdtype(type_, np.integer)):
        raise RequestError(
            f"data.{option}: {key!r} of {dataset} is not one integer, boolean or text per image; "
            f"it has {_names(features)}"
        )
    names = found.names if isinstance(found, tfds.features.ClassLabel) else []
    return Label(
        key, tf.string if is_text else tf.int64, ["false", "true"] if is_bool else names or []
    )


def _feature(
    features: tfds.features.FeaturesDict, key: str, option: str, dataset: str
) -> tfds.features.FeatureConnector:
    """Return a feature by its name. Raises RequestError if an image may have several values."""
    every = {name: (feature, several) for name, feature, several in flat(features)}
    if key not in every:
        raise RequestError(
            f"data.{option}: {dataset} has no feature {key!r}; it has {_names(features)}"
        )
    feature, several = every[key]
    if several:
        raise RequestError(
            f"data.{option}: {key!r} of {dataset} has several values per example, not one; "
            f"it has {_names(features)}"
        )
    return feature


def flat(
    feature: tfds.features.FeatureConnector, name: str = "", several: bool = False
) -> Iterator[tuple[str, tfds.features.FeatureConnector, bool]]:
    """Yield features that contain no others: name, feature, True if it may have several values.

    Feature `b` of feature `a` has the name `a/b`, as in a tf.train.Example.
    """
    if isinstance(feature, tfds.features.Sequence):
        feature, several = feature.feature, True
    if isinstance(feature, tfds.features.FeaturesDict):
        for key, inner in feature.items():
            yield from flat(inner, f"{name}/{key}" if name else key, several)
    else:
        yield name, feature, several


def _names(features: tfds.features.FeaturesDict) -> str:
    return ", ".join(name for name, _, _ in flat(features))
