"""Augmentation: random changes of training images, on the device, within the step."""

from triplet_train.training.augmentation.augment import Augment, make_augmentation

__all__ = ["Augment", "make_augmentation"]
