"""What a training step costs beside the bare tower's forward and backward pass, and where.

    python scripts/bench/step.py --data-dir ~/tensorflow_datasets

The same tower and batches in one process, each part added to the one before: rounds of some steps
of each in random order, and the median of the rounds. The last line is the loop of triplet-train.
"""

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as the commands do

import keras
import tensorflow as tf

from triplet_train.config import Config, load_config
from triplet_train.data.batches import make_batches
from triplet_train.data.caching import cached
from triplet_train.data.images import ImageTable
from triplet_train.data.pipeline import training_batches
from triplet_train.data.source import open_source
from triplet_train.losses.mining.strategy import make_strategy
from triplet_train.models.tower import build_tower
from triplet_train.training.devices import Devices, choose_devices
from triplet_train.training.loop import train
from triplet_train.training.microbatches import embed_whole
from triplet_train.training.optimizers import make_optimizer
from triplet_train.training.step import make_step

TOWERS = {
    "two convolutions": "{filters: [32, 64], embedding_dim: 64}",
    "three, batch normalisation": "{filters: [32, 64, 128], batch_norm: true, embedding_dim: 64}",
}


class Bench:
    """One tower, its batches, and a function for each of the parts that makes some steps."""

    def __init__(self, config: Config, images: ImageTable, devices: Devices) -> None:
        self.config, self.images, self.devices = config, images, devices
        self.batches = make_batches(config, images.labels)
        self.tower = build_tower(config.model, images.image_shape, config.train.precision)
        optimizer = make_optimizer(config.optimizer, 10**6, config.train.precision)
        optimizer.build(self.tower.trainable_variables)
        rows = self.batches.rows(0)
        self.pixels = tf.constant(images.read(rows))
        self.labels = tf.constant(images.labels[rows])
        self.step = make_step(
            self.tower,
            optimizer,
            make_strategy(config.loss),
            devices,
            seed=0,
            jit_compile=config.train.jit_compile is True,
        )
        self.data = devices.batches(
            lambda local: training_batches(images, self.batches, 0, local, 1)
        )

    def parts(self) -> dict[str, Callable[[int], float]]:
        """Seconds per step of so many steps."""
        tower, strategy = self.tower, make_strategy(self.config.loss)
        pull = tf.random.normal([len(self.labels), self.config.model.embedding_dim])
        compiled = tf.function(autograph=False, jit_compile=self.config.train.jit_compile is True)

        @compiled
        def bare() -> tf.Tensor:
            _, push_back = embed_whole(tower, self.pixels)
            return tf.add_n([tf.reduce_sum(gradient) for gradient in push_back(pull)])

        @compiled
        def with_loss() -> tf.Tensor:
            embeddings, push_back = embed_whole(tower, self.pixels)
            with tf.GradientTape() as tape:
                tape.watch(embeddings)
                loss = strategy(self.labels, embeddings, tf.constant([0, 0]), tf.constant(0)).loss
            gradients = push_back(tape.gradient(loss, embeddings))
            return loss + tf.add_n([tf.reduce_sum(gradient) for gradient in gradients])

        zero = tf.constant(0)
        return {
            "forward and backward": self._timed(lambda: bare()),
            "+ loss": self._timed(lambda: with_loss()),
            "+ update, figures": self._timed(
                lambda: self.step(zero, zero, self.pixels, self.labels).triplets.loss
            ),
            "+ input": self._timed(lambda: self.step(zero, zero, *next(self.data)).triplets.loss),
            "+ loop, logs, progress": self._loop,
        }

    def _timed(self, call: Callable[[], tf.Tensor]) -> Callable[[int], float]:
        def run(steps: int) -> float:
            float(call())
            begun = time.perf_counter()
            for _ in range(steps):
                result = call()
            float(result)
            return (time.perf_counter() - begun) / steps

        return run

    def _loop(self, steps: int) -> float:
        changes = {"steps": 2 * steps, "log_every": steps, "eval_every": 10**6}
        section = self.config.train.model_copy(update=changes | {"checkpoint_every": 10**6})
        config = self.config.model_copy(update={"train": section})
        with tempfile.TemporaryDirectory() as folder:
            figures = {"recall_at_1": 0.0, "map_at_r": 0.0}
            train(
                config,
                self.tower,
                self.images,
                self.batches,
                lambda: figures,
                Path(folder),
                self.devices,
            )
            lines = (Path(folder) / "metrics.jsonl").read_text().splitlines()
        self.wait = json.loads(lines[1])["data_wait"]
        return self.batches.size / json.loads(lines[1])["images_per_second"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data-dir", default=None, help="TFDS folder that holds MNIST")
    parser.add_argument("--classes", type=int, default=8)
    parser.add_argument("--per-class", type=int, default=16)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--strategy", default="semi_hard")
    parser.add_argument("--tower", choices=TOWERS, help="default: each of them")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=30, help="of each part in a round")
    options = parser.parse_args()
    for tower in [options.tower] if options.tower else TOWERS:
        overrides = [
            f"model={TOWERS[tower]}",
            f"batch={{classes: {options.classes}, per_class: {options.per_class}}}",
            f"loss.strategy={options.strategy}",
            f"train.precision={options.precision}",
        ]
        if options.data_dir:
            overrides.append(f"data.data_dir={json.dumps(options.data_dir)}")
        config = load_config("mnist_semihard", overrides)
        devices = choose_devices(config)
        table = open_source(config.data).table("train[:20000]")
        (images,) = cached([table], config.data)
        keras.utils.set_random_seed(0)
        bench = Bench(config, images, devices)
        parts = bench.parts()
        for part in parts.values():
            part(3)  # compiles
        rounds = []
        for _ in range(options.rounds):
            order = random.sample(list(parts), len(parts))  # what comes first is at an advantage
            rounds.append({name: parts[name](options.steps) for name in order})
        size = bench.batches.size
        print(
            f"{tower}, B = {size}, {options.precision}, {options.strategy}, {devices.description}"
        )
        print(f"{'':24s}  ms/step  images/s  of bare  (median of {options.rounds} rounds)")
        for name in parts:
            seconds = statistics.median(r[name] for r in rounds)
            ratio = statistics.median(r[name] / r["forward and backward"] for r in rounds)
            print(f"{name:24s}  {1e3 * seconds:7.2f}  {size / seconds:8,.0f}  {ratio:7.3f}")
        print(f"waiting for data: {bench.wait:.2%} of the loop's time\n", flush=True)


if __name__ == "__main__":
    main()
