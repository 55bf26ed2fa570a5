"""Batches that are read from disk

The rate and memory of P x K batches of colour JPEGs whose decoded images take several times the
budget of `data.cache`: from a TFDS set in either file format and from a folder, beside the same set
held in memory, and beside the pipeline of TFDS that reads TFRecord files from front to back. MiB
are beyond TensorFlow's own: at the first batch, and at most in an epoch. Rates are medians of
rounds in random order; the last column compares within a round.

The second part does the same for JPEGs of other sizes, which TFDS's pipeline resizes with
`tf.image.resize` in a parallel map. The small ones are those of CIFAR-10 in
`../shared/images/cifar10` beside the clone, or made ones where it is absent.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from processes import memory, peak, reset_peak, worker
from rounds import in_rounds, rates
from sections import main, table

CLASSES, PER_CLASS, BUDGET = 16, 8, "128 MiB"
BATCH = CLASSES * PER_CLASS
WAYS = ("tfrecord", "array_record", "folder", "in memory")
SHARDS = 8
CIFAR = Path(__file__).resolve().parents[3] / "shared/images/cifar10"
# Images, their height and width, image_size, and batches in a round; without and with --quick.
CASES = [(7500, (32, 32), 32, 10), (7500, (32, 32), 96, 10), (200, (3000, 4000), 224, 3)]
QUICK = [(200, (32, 32), 32, 1), (200, (32, 32), 96, 1), (200, (96, 128), 10, 1)]


def write_files(folder: Path, images: int, height: int, width: int) -> None:
    """Write JPEGs of 100 classes, or copy real ones of 32 x 32."""
    import numpy as np
    from PIL import Image

    real = sorted(CIFAR.rglob("*.jpg"))[:images] if (height, width) == (32, 32) else []
    for number in range(images):
        file = folder / "train" / f"{number % 100:03d}" / f"{number:06d}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        if len(real) == images:
            shutil.copyfile(real[number], file)
            continue
        random = np.random.default_rng(number)
        noise = random.integers(0, 256, (max(height // 8, 4), max(width // 8, 4), 3), np.uint8)
        picture = Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)
        picture.save(file, quality=90)


def make_sets(place: str, images: int, height: int, width: int) -> None:
    """Write the same JPEGs as a folder and as TFDS sets in both formats."""
    import tensorflow_datasets as tfds

    folder = Path(place) / "folder"
    write_files(folder, images, height, width)

    class MadeImages(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self) -> tfds.core.DatasetInfo:
            image = tfds.features.Image(shape=(height, width, 3), encoding_format="jpeg")
            label = tfds.features.ClassLabel(num_classes=100)
            features = tfds.features.FeaturesDict({"image": image, "label": label})
            return tfds.core.DatasetInfo(builder=self, features=features)

        def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
            return {"train": self._generate_examples()}

        def _generate_examples(self) -> Iterator[tuple[str, dict[str, Any]]]:
            for file in sorted(folder.rglob("*.jpg")):
                yield file.name, {"image": str(file), "label": int(file.parent.name)}

    tfds.disable_progress_bar()
    shards = tfds.download.DownloadConfig(num_shards=SHARDS)
    for format in ("tfrecord", "array_record"):
        builder = MadeImages(data_dir=Path(place) / format, file_format=format)
        builder.download_and_prepare(download_config=shards)


def batches_of(place: str, way: str, size: int, budget: str = BUDGET) -> Iterator[Any]:
    from steps import read_table

    from triplet_train.config import load_config
    from triplet_train.data.batches import PKBatches
    from triplet_train.data.pipeline import training_batches

    if way == "folder":
        data = f"dataset: image_folder, path: '{place}/folder'"
    else:
        format = "tfrecord" if way == "in memory" else way
        data = f"dataset: made_images, data_dir: '{place}/{format}'"
    cache = "memory" if way == "in memory" else budget
    keys = f"data={{{data}, image_size: [{size}, {size}], cache: {cache}}}"
    images = read_table(load_config("digits_semihard", [keys]), "train")
    batches = PKBatches(images.labels, classes=CLASSES, per_class=PER_CLASS, seed=0)
    return iter(training_batches(images, batches, 0, range(1), 1))


def front_to_back(place: str, resized: int | None = None) -> Iterator[Any]:
    import tensorflow as tf
    import tensorflow_datasets as tfds

    def resize(example: dict[str, Any]) -> dict[str, Any]:
        image = tf.image.resize(example["image"], (resized, resized), antialias=True)
        return {"image": tf.cast(image, tf.uint8), "label": example["label"]}

    (folder,) = (Path(place) / "tfrecord").glob("*/1.0.0")
    plain = tfds.ReadConfig(try_autocache=False)
    dataset = tfds.builder_from_directory(folder).as_dataset(split="train", read_config=plain)
    if resized:
        dataset = dataset.map(resize, num_parallel_calls=tf.data.AUTOTUNE)
    return iter(dataset.repeat().batch(BATCH).prefetch(2))


def measure(
    place: str, way: str | None, images: int, size: int, stored: tuple[int, int] | None = None
) -> dict[str, float]:
    """MiB at the first batch and at most; without a way, make the sets that are read."""
    if way is None:
        make_sets(place, images, *(stored or (size, size)))
        return {}
    import steps  # noqa: F401 - loads TensorFlow, so that its memory is not counted

    before = reset_peak()
    stream = batches_of(place, way, size)
    next(stream)
    first = memory("VmRSS") - before
    for _ in range(images // BATCH):
        next(stream)
    return {"first": first, "peak": peak() - before}


def rate_of(stream: Iterator[Any], batches: int) -> Callable[[], float]:
    def run() -> float:
        for _ in range(3):  # read ahead during the turns of the others
            next(stream)
        begun = time.perf_counter()
        for _ in range(batches):
            next(stream)
        return (time.perf_counter() - begun) / batches

    return run


def of_sizes(images: int, stored: tuple[int, int], size: int, batches: int, rounds: int) -> str:
    """Return the rates of a set in TFRecord files and in a folder."""
    with tempfile.TemporaryDirectory() as place:
        job = {"place": place, "way": None, "images": images, "size": size, "stored": stored}
        worker(__file__, job)
        resized = None if stored == (size, size) else size
        streams = {"TFDS, front to back": front_to_back(place, resized)}
        streams |= {way: batches_of(place, way, size, "disk") for way in ("tfrecord", "folder")}
        functions = {name: rate_of(stream, batches) for name, stream in streams.items()}
        times = in_rounds(functions, rounds)
    height, width = stored
    what = f"{images:,} JPEGs of {width} x {height}, read at {size} x {size}"
    return f"{what}:\n\n{rates(times, BATCH)}"


def section(quick: bool) -> str:
    images, size = (400, 32) if quick else (8000, 128)
    with tempfile.TemporaryDirectory() as place:
        job = {"place": place, "images": images, "size": size}
        worker(__file__, job | {"way": None})
        rows = [["", "MiB at the first batch", "peak MiB"]]
        for way in WAYS:
            found = worker(__file__, job | {"way": way})
            rows.append([way, f"{found['first']:,.0f}", f"{found['peak']:,.0f}"])
        streams = {"TFDS, front to back": front_to_back(place)}
        streams |= {way: batches_of(place, way, size) for way in WAYS}
        functions = {name: rate_of(stream, 10) for name, stream in streams.items()}
        times = in_rounds(functions, 1 if quick else 5)
    what = f"{images:,} JPEGs of {size} x {size}, {images * size * size * 3 / 2**20:,.0f} MiB"
    cases = [of_sizes(*case, 1 if quick else 5) for case in (QUICK if quick else CASES)]
    first = (
        f"{what} decoded; a budget of {BUDGET}; batches of {CLASSES} x {PER_CLASS}.\n\n"
        f"{table(rows)}\n\n{rates(times, BATCH)}"
    )
    return "\n\n".join([first, *cases])


if __name__ == "__main__":
    main(section, measure)
