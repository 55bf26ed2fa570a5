"""What a very large batch costs when the tower takes it a microbatch at a time.

    python scripts/bench/microbatch.py --data-dir ~/tensorflow_datasets

Each line is some steps of semi-hard training on MNIST, with a cnn of filters [32, 64, 128] without
batch normalisation, in a process of its own: seconds per step, microseconds per image (the median
step) and the largest memory that the process has held, of which `imports and data` is there before
the first step.
"""

import argparse
import json
import multiprocessing
import resource
import statistics
import time

from triplet_train.config import Config, load_config

_PROCESSES = multiprocessing.get_context("spawn")
# Without batch normalisation, so that the gradient is that of the undivided batch.
_TOWER = "model={filters: [32, 64, 128], embedding_dim: 64}"
CASES = [(8, 16, None), (8, 128, None), (8, 128, 128), (8, 1024, 128), (8, 1024, 1024)]


def measure(config: Config, steps: int) -> tuple[float, float, float]:
    """Seconds of the median step; MiB held before the first one and at most."""
    import keras
    import tensorflow as tf

    from triplet_train.data.batches import make_batches
    from triplet_train.data.caching import cached
    from triplet_train.data.pipeline import training_batches
    from triplet_train.data.source import open_source
    from triplet_train.losses.mining.strategy import make_strategy
    from triplet_train.models.tower import build_tower
    from triplet_train.training.devices import choose_devices
    from triplet_train.training.optimizers import make_optimizer
    from triplet_train.training.step import make_step

    devices = choose_devices(config)
    source = open_source(config.data)
    (images,) = cached([source.table("train[:20000]")], config.data)
    batches = make_batches(config, images.labels)
    keras.utils.set_random_seed(0)
    tower = build_tower(config.model, source.image_shape)
    optimizer = make_optimizer(config.optimizer, 1000, "float32")
    optimizer.build(tower.trainable_variables)
    step = make_step(
        tower,
        optimizer,
        make_strategy(config.loss),
        devices,
        seed=0,
        microbatch=config.train.microbatch,
    )
    data = devices.batches(lambda local: training_batches(images, batches, 0, local, 1))
    before = _most_memory()
    times = []
    for number in range(steps + 1):
        pixels, labels = next(data)
        begun = time.perf_counter()
        float(step(tf.constant(number), tf.constant(0), pixels, labels).triplets.loss)
        times.append(time.perf_counter() - begun)
    return statistics.median(times[1:]), before, _most_memory()


def _most_memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data-dir", default=None, help="TFDS folder that holds MNIST")
    parser.add_argument("--undivided", action="store_true", help="8192 without microbatches too")
    options = parser.parse_args()
    cases = [*CASES, (8, 1024, None)] if options.undivided else CASES
    print("| batch | microbatch | s/step | us/image | imports and data, MiB | most, MiB |")
    print("|---|---|---|---|---|---|")
    for classes, per_class, microbatch in cases:
        size = classes * per_class
        overrides = [_TOWER, f"batch={{classes: {classes}, per_class: {per_class}}}"]
        if microbatch:
            overrides.append(f"train.microbatch={microbatch}")
        if options.data_dir:
            overrides.append(f"data.data_dir={json.dumps(options.data_dir)}")
        config = load_config("mnist_semihard", overrides)
        with _PROCESSES.Pool(1) as pool:
            seconds, before, most = pool.apply(measure, (config, 4 if size > 1024 else 20))
        print(
            f"| {size} | {microbatch or 'none'} | {seconds:.3f} | {1e6 * seconds / size:.0f} "
            f"| {before:,.0f} | {most:,.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
