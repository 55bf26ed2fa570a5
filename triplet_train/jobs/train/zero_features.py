"""Detection of a pretrained network that sees nothing in the images."""

import keras
import numpy as np

from triplet_train.registry import BACKBONE

_MANY = 0.1  # share of images without a feature
_FEW = 0.05  # share of features that are not 0; EfficientNet-Lite0 has 0.42 at 48 x 48
_ENOUGH = 128  # images


def zero_features(tower: keras.Model, images: np.ndarray) -> str | None:
    """Return a warning if features are 0 for many images, or nearly all features are; else None.

    Images without a feature have the same vector, and differ by nothing that training could use.
    Deep networks give such features for images that are much smaller than those of their own
    training.

    Args:
        images: of a batch, uint8 [N, H, W, C]; the first 128 are looked at.
    """
    images = images[:_ENOUGH]
    features = np.asarray(tower.get_layer(BACKBONE)(images)).reshape(len(images), -1)
    without, others = int(np.sum(~features.any(axis=1))), np.count_nonzero(features) / features.size
    if without <= _MANY * len(images) and others >= _FEW:
        return None
    height, width = images.shape[1:3]
    return (
        f"{without} of the {len(images)} images of the first batch have features that are all 0, "
        f"and {others:.1%} of all features are not 0, so the images can hardly be told apart. They "
        f"may be too small for the network at {height} x {width}: set a larger data.image_size, "
        f"such as [{2 * height}, {2 * width}]"
    )
