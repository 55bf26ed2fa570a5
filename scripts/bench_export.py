"""What triplet-embed costs: images/s beside the bare tower's, and memory with a million rows.

    python scripts/bench_export.py --data-dir DIR   # of TFDS, with MNIST
    python scripts/bench_export.py --rows 1000000

The first embeds 60,000 MNIST images with the tower of mnist_semihard: the tower alone, on images
that are in memory, at several batch sizes; then the whole command's work, from the data set's files
to an embedding file. The second writes made images, 8 x 8, in a process for each format and size,
and tells how far memory grew from the first batch on. About 4 and 2 minutes on 2 CPU cores.
"""

import argparse
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

FORMATS = ("parquet", "npz", "h5")
BATCH_SIZES = (256, 512, 1024)
IMAGES = 60_000
ROUNDS = 3


def throughput(data_dir: str | None) -> None:
    import tensorflow as tf

    from triplet_train.config import load_config
    from triplet_train.data.sources import Source
    from triplet_train.embeddings.compute import make_embed
    from triplet_train.embeddings.files import writing
    from triplet_train.jobs.tower_source import OpenTower
    from triplet_train.models.tower import build_tower

    config = load_config("mnist_semihard", [f"data.data_dir={data_dir}"] if data_dir else [])
    source = Source(config.data)
    split = f"train[:{IMAGES}]"
    images = source.load(split, quiet=True).images
    tower = build_tower(config.model, source.image_shape)
    opened = OpenTower(Path("none"), tower, None, None)

    def alone(size: int) -> Callable[[], object]:
        embed = make_embed(tower, size)
        return lambda: embed(images)

    def export(format: str, folder: Path) -> Callable[[], object]:
        def run() -> None:
            with writing(folder / f"x.{format}", format, tower.output_shape[-1], {}) as append:
                for table in opened.tables(source.stream(split), quiet=True):
                    append(table)

        return run

    with tempfile.TemporaryDirectory() as place:
        parts = {f"the tower alone, {size} at a time": alone(size) for size in BATCH_SIZES}
        parts |= {f"files to {format}": export(format, Path(place)) for format in FORMATS}
        seconds: dict[str, list[float]] = {name: [] for name in parts}
        for _ in range(ROUNDS + 1):
            for name, run in parts.items():
                begun = time.perf_counter()
                run()
                seconds[name].append(time.perf_counter() - begun)
    rates = {name: IMAGES / statistics.median(times[1:]) for name, times in seconds.items()}
    best = max(rate for name, rate in rates.items() if "alone" in name)
    print(f"mnist_semihard, {IMAGES:,} images, {tf.config.list_logical_devices()[-1].device_type}")
    for name, rate in rates.items():
        print(f"{name:35s} {rate:8,.0f} images/s  {rate / best:.3f}")


def memory(format: str, rows: int, answer: multiprocessing.Queue) -> None:
    import psutil

    from triplet_train.config import load_config
    from triplet_train.data.images import ImageSet, ImageStream
    from triplet_train.embeddings.files import writing
    from triplet_train.jobs.tower_source import OpenTower
    from triplet_train.models.tower import build_tower

    config = load_config("digits_semihard")
    pixels = np.random.default_rng(0).integers(0, 256, (8192, 8, 8, 1), np.uint8)

    def batches(size: int) -> Iterator[ImageSet]:
        for start in range(0, rows, size):
            numbers = range(start, min(start + size, rows))
            ids = [f"digits-train.tfrecord-00000-of-00001__{row}" for row in numbers]
            labels = np.arange(start, start + len(ids)) % 10
            yield ImageSet(pixels[: len(ids)], labels, ids, {n: str(n) for n in range(10)})

    tower = build_tower(config.model, (8, 8, 1))
    opened = OpenTower(Path("none"), tower, None, None)
    stream = ImageStream("made", None, rows, (8, 8, 1), batches)
    process = psutil.Process()
    seen = []
    begun = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as place,
        writing(Path(place) / "x", format, tower.output_shape[-1], {}) as append,
    ):
        for number, table in enumerate(opened.tables(stream, quiet=True)):
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
