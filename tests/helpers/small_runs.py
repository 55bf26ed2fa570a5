"""Training runs of a second, on 60 made images of 6 classes."""

import keras
import numpy as np

from tests.helpers.tables import table
from triplet_train.console import SILENT
from triplet_train.data.batches import make_batches
from triplet_train.models.tower import build_tower
from triplet_train.registry import APPLICATIONS
from triplet_train.run.folder import RunFolder
from triplet_train.training.context import Context
from triplet_train.training.devices import choose_devices
from triplet_train.training.learner import Learner
from triplet_train.training.loop import train

LABELS = np.repeat(np.arange(6), 10)
RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.integers(0, 128, (60, 8, 8, 1)) + 20 * LABELS[:, None, None, None]
IMAGES = table(PIXELS.astype(np.uint8), LABELS)
LARGE = table(PIXELS.repeat(4, axis=1).repeat(4, axis=2).astype(np.uint8), LABELS)


def metrics(recall=0.5):
    return {"recall_at_1": recall, "map_at_r": 0.1}


def recalls(*values):
    """An evaluation that returns these recalls, one after the other."""
    left = iter(values)
    return lambda: metrics(next(left))


def start(
    config,
    folder,
    *,
    resume=False,
    evaluate=metrics,
    build=build_tower,
    images=IMAGES,
    console=SILENT,
):
    """The tower's weights at the end, and the state of training.

    A network of keras.applications gets the images enlarged to the size that it takes.
    """
    if config.model.tower in APPLICATIONS:
        images = LARGE
    devices = choose_devices(config)
    if devices.chief:
        folder.mkdir(exist_ok=True)
    keras.utils.set_random_seed(config.seed)
    with devices.distribution.scope():
        tower = build(
            config.model,
            images.image_shape,
            config.train.precision,
            synchronized=devices.replicas > 1,
        )
    context = Context(config, RunFolder(folder), resume, devices=devices, console=console)
    batches = make_batches(config, LABELS)
    with devices.failures_explained():
        state = train(context, Learner(context, tower), images, batches, evaluate)
    return tower.get_weights(), state
