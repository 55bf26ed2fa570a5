"""What augmentation adds to a training step.

    python scripts/bench/augmentation.py

Made images, the tower of mnist_semihard. Rounds of some steps with each choice of keys, in random
order; ratios are medians over the rounds of each to the plain step of its round.
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from triplet_train.config import load_config
from triplet_train.losses.mining.strategy import make_strategy
from triplet_train.models.tower import build_tower
from triplet_train.training.augmentation import make_augmentation
from triplet_train.training.devices import choose_devices
from triplet_train.training.optimizers import make_optimizer
from triplet_train.training.step import make_step

WARP = "rotate: 15, shift: 0.1, zoom: 0.1, shear: 0.1, flip: horizontal"
CHOICES = {
    "off": "{}",
    "all": f"{{{WARP}, contrast: 0.2, brightness: 0.2, erase: 0.2}}",
    "rotate to flip": f"{{{WARP}}}",
    "contrast, brightness": "{contrast: 0.2, brightness: 0.2}",
    "erase": "{erase: 0.2}",
}
CASES = [(10, 12, (28, 28, 1), 10), (8, 16, (96, 96, 3), 2)]  # P, K, image, steps in a round


def make_run(
    augment: str,
    classes: int,
    per_class: int,
    shape: tuple[int, ...],
    clock: Callable[[], float],
) -> Callable[[int], float]:
    """Seconds per step of so many steps."""
    config = load_config("mnist_semihard", [f"augment={augment}"])
    keras.utils.set_random_seed(0)
    tower = build_tower(config.model, shape, "float32")
    optimizer = make_optimizer(config.optimizer, 10**6, "float32")
    optimizer.build(tower.trainable_variables)
    step = make_step(
        tower,
        optimizer,
        make_strategy(config.loss),
        choose_devices(config),
        seed=0,
        augment=make_augmentation(config.augment),
    )
    pixels = np.random.default_rng(0).integers(0, 256, (classes * per_class, *shape), np.uint8)
    images, labels = tf.constant(pixels), tf.constant(np.repeat(np.arange(classes), per_class))

    def run(steps: int) -> float:
        begun = clock()
        for number in range(steps):
            figures = step(tf.constant(number), tf.constant(0), images, labels)
        float(figures.triplets.loss)
        return (clock() - begun) / steps

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument(
        "--cpu-time", action="store_true", help="of all cores; less disturbed by other processes"
    )
    options = parser.parse_args()
    clock = time.process_time if options.cpu_time else time.perf_counter
    for classes, per_class, shape, steps in CASES:
        runs = {
            name: make_run(augment, classes, per_class, shape, clock)
            for name, augment in CHOICES.items()
        }
        for run in runs.values():
            run(2)  # compiles
        rounds = []
        for _ in range(options.rounds):
            order = random.sample(list(runs), len(runs))  # what comes first is at an advantage
            rounds.append({name: runs[name](steps) for name in order})
        print(f"{classes} x {per_class} images of {' x '.join(map(str, shape))}")
        print(f"{'':20s}  ms/step  of off  (median of {options.rounds} rounds)")
        for name in runs:
            seconds = statistics.median(r[name] for r in rounds)
            ratio = statistics.median(r[name] / r["off"] for r in rounds)
            print(f"{name:20s}  {1e3 * seconds:7.1f}  {ratio:6.3f}", flush=True)


if __name__ == "__main__":
    main()
