"""What it costs to read P x K batches at random, instead of holding a set in memory.

    python scripts/bench/reading.py

Makes colour JPEGs, as a TFDS set in both file formats and as a folder, whose decoded images take
several times the budget of data.cache. Tells what memory the batches of two epochs take, in a
process for each way; then the rate at which batches come, beside TFDS's own pipeline that reads the
TFRecord files from front to back, in one process and in rounds of random order. About 5 minutes on
2 CPU cores.
"""

import argparse
import multiprocessing
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

CLASSES, PER_CLASS, BUDGET = 16, 8, "128 MiB"
WAYS = ("tfrecord", "array_record", "folder", "in memory")
_SHARDS = 8


def make_sets(place: Path, images: int, size: int) -> None:
    import tensorflow_datasets as tfds
    from PIL import Image

    def picture(number: int) -> Image.Image:
        noise = np.random.default_rng(number).integers(0, 256, (size // 8, size // 8, 3), np.uint8)
        return Image.fromarray(noise).resize((size, size), Image.Resampling.BICUBIC)

    for number in range(images):
        file = place / "folder" / "train" / f"{number % 100:03d}" / f"{number:06d}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        picture(number).save(file, quality=90)

    class MadeImages(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self) -> tfds.core.DatasetInfo:
            features = {
                "image": tfds.features.Image(shape=(size, size, 3), encoding_format="jpeg"),
                "label": tfds.features.ClassLabel(num_classes=100),
            }
            return tfds.core.DatasetInfo(
                builder=self, features=tfds.features.FeaturesDict(features)
            )

        def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
            return {"train": self._generate_examples()}

        def _generate_examples(self) -> Iterator[tuple[int, dict[str, Any]]]:
            for file in sorted((place / "folder").rglob("*.jpg")):
                yield file.name, {"image": str(file), "label": int(file.parent.name)}

    tfds.disable_progress_bar()
    config = tfds.download.DownloadConfig(num_shards=_SHARDS)
    for format in ("tfrecord", "array_record"):
        builder = MadeImages(data_dir=place / format, file_format=format)
        builder.download_and_prepare(download_config=config)


def open_table(place: Path, way: str, size: int) -> Any:
    from triplet_train.config import DataConfig
    from triplet_train.data.caching import cached
    from triplet_train.data.source import open_source

    if way == "folder":
        data = {"dataset": "image_folder", "path": str(place / way)}
    else:
        format = "tfrecord" if way == "in memory" else way
        data = {"dataset": "made_images", "data_dir": str(place / format)}
    cache = "memory" if way == "in memory" else BUDGET
    config = DataConfig(**data, image_size=(size, size), cache=cache)
    (table,) = cached([open_source(config).table("train")], config)
    return table


def batches_of(table: Any) -> Iterator[Any]:
    from triplet_train.data.batches import PKBatches
    from triplet_train.data.pipeline import training_batches

    batches = PKBatches(table.labels, classes=CLASSES, per_class=PER_CLASS, seed=0)
    return iter(training_batches(table, batches, 0, range(1), 1))


def front_to_back(place: Path, size: int) -> Iterator[Any]:
    import tensorflow_datasets as tfds

    (folder,) = (place / "tfrecord").glob("*/1.0.0")
    plain = tfds.ReadConfig(try_autocache=False)
    dataset = tfds.builder_from_directory(folder).as_dataset(split="train", read_config=plain)
    return iter(dataset.repeat().batch(CLASSES * PER_CLASS).prefetch(2))


def rates(place: Path, size: int, steps: int, rounds: int) -> None:
    streams = {"TFDS, front to back": front_to_back(place, size)}
    streams |= {way: batches_of(open_table(place, way, size)) for way in WAYS}
    seconds: dict[str, list[float]] = {name: [] for name in streams}
    for number in range(rounds + 1):
        for name in random.sample(list(streams), len(streams)):
            for _ in range(3):  # what was prefetched meanwhile
                next(streams[name])
            begun = time.perf_counter()
            for _ in range(steps):
                next(streams[name])
            if number:
                seconds[name].append((time.perf_counter() - begun) / (steps * CLASSES * PER_CLASS))
    base = seconds["TFDS, front to back"]
    print(f"images/s, median of {rounds} rounds, and beside TFDS in the same round")
    for name, times in seconds.items():
        ratio = statistics.median(b / t for b, t in zip(base, times, strict=True))
        print(f"  {name:20s} {1 / statistics.median(times):8,.0f}  {ratio:6.2f}", flush=True)


def memory(place: Path, way: str, size: int, steps: int, answer: multiprocessing.Queue) -> None:
    import psutil

    process = psutil.Process()
    import tensorflow as tf  # noqa: F401 - loaded before the first look

    before = process.memory_info().rss
    stream: Iterator[Any] = batches_of(open_table(place, way, size))
    seen = []
    for step in range(steps):
        next(stream)
        if step % 20 == 0:
            seen.append(process.memory_info().rss)
    answer.put((seen[0] - before, max(seen) - before))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=20, help="of each way in a round")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    size: int = options.size
    decoded = options.images * size * size * 3 / 2**20
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        context = multiprocessing.get_context("spawn")
        maker = context.Process(target=make_sets, args=(place, options.images, size))
        maker.start()
        maker.join()
        print(
            f"{options.images:,} JPEGs of {size} x {size}: {decoded:,.0f} MiB decoded, budget "
            f"{BUDGET}, batches of {CLASSES} x {PER_CLASS}"
        )
        print("memory beyond TensorFlow's own, MiB: at the first batch, at most in two epochs")
        steps = 2 * options.images // (CLASSES * PER_CLASS)
        for way in WAYS:
            answer = context.Queue()
            process = context.Process(target=memory, args=(place, way, size, steps, answer))
            process.start()
            first, most = answer.get()
            process.join()
            print(f"  {way:20s} {first / 2**20:8,.0f}  {most / 2**20:6,.0f}", flush=True)
        rates(place, size, options.steps, options.rounds)


if __name__ == "__main__":
    main()
