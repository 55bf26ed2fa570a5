"""What triplet-embed costs: images/s beside the bare tower's, and memory with a million rows.

    python scripts/bench/export.py --data-dir DIR   # of TFDS, with MNIST
    python scripts/bench/export.py --rows 1000000

The first embeds 20,000 MNIST images with the tower of mnist_semihard: the tower alone, on images
that are in memory, at several batch sizes; then the whole command's work, from the data set's files
to an embedding file; both from their first batch on. The second writes made images, 8 x 8, in a
process for each format and size, and tells how far memory grew from the first batch on. About 3
minutes and 2 on 2 CPU cores.
"""

import argparse
import multiprocessing
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

FORMATS = ("parquet", "npz", "h5")
BATCH_SIZES = (256, 512, 1024)
IMAGES = 20_000
ROUNDS = 9


def throughput(data_dir: str | None) -> None:
    import tensorflow as tf

    from triplet_train.config import load_config
    from triplet_train.console import SILENT
    from triplet_train.data.caching import cached
    from triplet_train.data.images import selected
    from triplet_train.data.source import open_source
    from triplet_train.embeddings.compute import make_embed
    from triplet_train.embeddings.files import writing
    from triplet_train.jobs.open_tower import OpenTower
    from triplet_train.models.tower import build_tower

    config = load_config("mnist_semihard", [f"data.data_dir={data_dir}"] if data_dir else [])
    source = open_source(config.data)
    split = f"train[:{IMAGES}]"
    (images,) = cached([source.table(split)], config.data)
    tower = build_tower(config.model, source.image_shape)
    opened = OpenTower(Path("none"), tower, None, None)

    def alone(size: int) -> float:
        embed = make_embed(tower, size)
        embed(selected(images, np.arange(size)))
        begun = time.perf_counter()
        embed(images)
        return (time.perf_counter() - begun) / IMAGES

    def export(format: str) -> float:
        with (
            tempfile.TemporaryDirectory() as place,
            writing(Path(place) / "x", format, tower.output_shape[-1], {}) as append,
        ):
            tables = opened.tables(source.table(split), SILENT)
            first = next(tables)
            begun = time.perf_counter()
            append(first)
            for table in tables:
                append(table)
        return (time.perf_counter() - begun) / (IMAGES - len(first.ids))

    parts: dict[str, Callable[[], float]] = {
        f"the tower alone, {size} at a time": partial(alone, size) for size in BATCH_SIZES
    }
    parts |= {f"files to {format}": partial(export, format) for format in FORMATS}
    seconds: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(ROUNDS):
        for name in random.sample(list(parts), len(parts)):
            seconds[name].append(parts[name]())
    print(f"mnist_semihard, {IMAGES:,} images, {tf.config.list_logical_devices()[-1].device_type}")
    print(f"images/s of {ROUNDS} rounds:              median             best")
    rates = {
        name: (1 / statistics.median(times), 1 / min(times)) for name, times in seconds.items()
    }
    tops = [max(rate[i] for name, rate in rates.items() if "alone" in name) for i in range(2)]
    for name, rate in rates.items():
        cells = "   ".join(f"{r:8,.0f}  {r / top:.3f}" for r, top in zip(rate, tops, strict=True))
        print(f"{name:35s} {cells}")


def memory(format: str, rows: int, answer: multiprocessing.Queue) -> None:
    import psutil

    from triplet_train.config import load_config
    from triplet_train.console import SILENT
    from triplet_train.data.images import ImageTable
    from triplet_train.embeddings.files import writing
    from triplet_train.jobs.open_tower import OpenTower
    from triplet_train.models.tower import build_tower

    config = load_config("digits_semihard")
    pixels = np.random.default_rng(0).integers(0, 256, (8192, 8, 8, 1), np.uint8)
    ids = [f"digits-train.tfrecord-00000-of-00001__{row}" for row in range(rows)]
    names = {n: str(n) for n in range(10)}
    images = ImageTable(
        "made", "", (8, 8, 1), np.arange(rows) % 10, ids, names,
        lambda some: (pixels[some % len(pixels)], {}), None,
    )  # fmt: skip
    tower = build_tower(config.model, (8, 8, 1))
    opened = OpenTower(Path("none"), tower, None, None)
    process = psutil.Process()
    seen = []
    begun = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as place,
        writing(Path(place) / "x", format, tower.output_shape[-1], {}) as append,
    ):
        for number, table in enumerate(opened.tables(images, SILENT)):
            append(table)
            if number % 20 == 0:
                seen.append(process.memory_info().rss)
    seconds = time.perf_counter() - begun
    answer.put((seen[0], max([*seen, process.memory_info().rss]), seconds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data-dir")
    parser.add_argument("--rows", type=int)
    options = parser.parse_args()
    if options.rows is None:
        throughput(options.data_dir)
        return
    print("format         rows   seconds   first batch, MiB   most, MiB")
    context = multiprocessing.get_context("spawn")
    for format in FORMATS:
        for rows in (options.rows // 100, options.rows // 10, options.rows):
            answer = context.Queue()
            process = context.Process(target=memory, args=(format, rows, answer))
            process.start()
            first, most, seconds = answer.get()
            process.join()
            mebibytes = f"{first / 2**20:18,.0f} {most / 2**20:11,.0f}"
            print(f"{format:8s} {rows:10,} {seconds:9.1f} {mebibytes}")


if __name__ == "__main__":
    main()
