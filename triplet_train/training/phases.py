"""Phases of a training: first with a frozen backbone, then with a trained one."""

from collections.abc import Sequence
from typing import NamedTuple

import keras

from triplet_train.config import Config, ModelConfig
from triplet_train.training.trained_tower import TrainedTower, divided


class Phase(NamedTuple):
    """Consecutive steps that train the same weights.

    Attributes:
        tower: the tower as these steps train it.
        steps: their numbers, from 1.
    """

    tower: TrainedTower
    steps: range


def phases(tower: keras.Model, model: ModelConfig, steps: range) -> list[Phase]:
    """Divide some steps of a run into phases, none of which is empty."""
    frozen, still = model.freeze_backbone, bool(model.freeze_batch_norm)
    number = len(steps) if frozen is True else max(0, frozen + 1 - steps.start)
    return [
        Phase(TrainedTower(tower, frozen=at_rest, still=still), these)
        for at_rest, these in ((True, steps[:number]), (False, steps[number:]))
        if these
    ]


def trained_weights(tower: keras.Model, model: ModelConfig) -> list[keras.Variable]:
    """Return the weights that a run trains in at least one of its steps."""
    weights: list[keras.Variable] = TrainedTower(
        tower, frozen=model.freeze_backbone is True
    ).trainable_variables
    return weights


def weights_apart(tower: keras.Model, config: Config) -> Sequence[keras.Variable]:
    """Return the weights of the backbone if their optimizer differs from that of the head."""
    frozen = config.model.freeze_backbone
    thaws = frozen is not True and frozen > 0
    if config.optimizer.backbone_rate == 1 and not thaws:
        return ()
    weights: list[keras.Variable] = divided(tower)[0].trainable_variables
    return weights
