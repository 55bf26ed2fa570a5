"""Towers, batches and steps as `triplet-train` sets them up."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from triplet_train.config import Config, load_config
from triplet_train.console import SILENT
from triplet_train.data.batches import PKBatches, make_batches
from triplet_train.data.caching import cached
from triplet_train.data.images import ImageTable
from triplet_train.data.pipeline import training_batches
from triplet_train.data.source import open_source
from triplet_train.embeddings.files import writing
from triplet_train.errors import Stopped
from triplet_train.jobs.open_tower import OpenTower
from triplet_train.losses.mining.strategy import make_strategy
from triplet_train.models.tower import build_tower
from triplet_train.run.folder import RunFolder
from triplet_train.training.augmentation import make_augmentation
from triplet_train.training.context import Context
from triplet_train.training.devices import Devices, choose_devices
from triplet_train.training.learner import Learner
from triplet_train.training.loop import train
from triplet_train.training.optimizers import make_optimizer
from triplet_train.training.step import Step, make_step

TWO_CONVOLUTIONS = "model={filters: [32, 64], embedding_dim: 64}"
NEVER = 10**6  # steps


def table_of(pixels: np.ndarray, labels: np.ndarray) -> ImageTable:
    """Table of images, uint8 [N, H, W, C], that are held in memory."""
    return ImageTable(
        name="made",
        split="all",
        image_shape=pixels.shape[1:],
        labels=labels.astype(np.int64),
        ids=[str(row) for row in range(len(labels))],
        class_names={int(label): str(label) for label in np.unique(labels)},
        try_read=lambda rows: (pixels[rows], {}),
        size_of=None,
        pixels=pixels,
    )


def made_images(count: int, shape: tuple[int, ...], classes: int = 10) -> ImageTable:
    """Images of noise."""
    pixels = np.random.default_rng(0).integers(0, 256, (count, *shape), np.uint8)
    return table_of(pixels, np.arange(count) % classes)


def read_table(config: Config, split: str) -> ImageTable:
    """Split of the data set of `config`, in memory as far as data.cache says."""
    (table,) = cached([open_source(config.data).table(split)], config.data)
    return table


@dataclass
class Training:
    """Parts of a training before its first step."""

    config: Config
    images: ImageTable
    batches: PKBatches
    tower: keras.Model
    optimizer: keras.Optimizer
    devices: Devices
    step: Step

    def data(self) -> Iterator[Any]:
        """Batches of images and labels on the device, without end."""
        return self.devices.batches(
            lambda local: training_batches(self.images, self.batches, 0, local, 1)
        )

    def loop(
        self,
        evaluate: Callable[[], dict[str, float]] | None,
        folder: Path | None = None,
        resume: bool = False,
        **settings: Any,
    ) -> str:
        """Run the loop of triplet-train with these keys of `train`; return its metrics.jsonl.

        `evaluate` gives recall_at_1 and map_at_r, or ends the loop by raising EndLoop. The run is
        in `folder`, or in a temporary one.
        """
        section = self.config.train.model_copy(update=settings)
        config = self.config.model_copy(update={"train": section})
        with tempfile.TemporaryDirectory() as temporary:
            run = RunFolder(folder or Path(temporary))
            context = Context(config, run, resume, devices=self.devices, console=SILENT)
            with suppress(EndLoop, Stopped):
                learner = Learner(context, self.tower)
                train(context, learner, self.images, self.batches, evaluate)
            return run.metrics_log.read_text()


class EndLoop(Exception):
    """End of a loop, raised by its evaluation."""


def set_up(
    images: ImageTable, *overrides: str, config: str = "mnist_semihard", jit_compile: bool = False
) -> Training:
    """Training of a shipped configuration with `overrides` on `images`."""
    loaded = load_config(config, list(overrides))
    devices, precision = choose_devices(loaded), loaded.train.precision
    keras.utils.set_random_seed(loaded.seed)
    tower = build_tower(loaded.model, images.image_shape, precision)
    optimizer = make_optimizer(loaded.optimizer, NEVER, precision)
    optimizer.build(tower.trainable_variables)
    step = make_step(
        tower,
        optimizer,
        make_strategy(loaded.loss),
        devices,
        seed=loaded.seed,
        augment=make_augmentation(loaded.augment),
        microbatch=loaded.train.microbatch,
        jit_compile=jit_compile,
    )
    batches = make_batches(loaded, images.labels)
    return Training(loaded, images, batches, tower, optimizer, devices, step)


def export(tower: keras.Model, images: ImageTable, format: str = "parquet") -> float:
    """Write embeddings of `images` as triplet-embed does.

    Return the images per second after the first batch, which compiles; 0.0 if there is no other.
    """
    ends, counts = [], []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "x"
        with writing(file, format, tower.output_shape[-1], {}) as append:
            for part in OpenTower(file, tower, None, None).tables(images, SILENT):
                append(part)
                ends.append(time.perf_counter())
                counts.append(len(part.labels))
        return sum(counts[1:]) / (time.perf_counter() - ends[0])


def timed(call: Callable[[], tf.Tensor], calls: int) -> Callable[[], float]:
    """Function that returns the seconds of a call, waiting for the last of `calls` results."""

    def run() -> float:
        begun = time.perf_counter()
        for _ in range(calls):
            result = call()
        float(result)
        return (time.perf_counter() - begun) / calls

    return run
