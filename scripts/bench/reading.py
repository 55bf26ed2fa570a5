"""Batches that are read from disk

The rate and memory of P x K batches of colour JPEGs whose decoded images take several times the
budget of `data.cache`: from a TFDS set in either file format and from a folder, beside the same set
held in memory, and beside the pipeline of TFDS that reads TFRecord files from front to back. MiB
are beyond TensorFlow's own: at the first batch, and at most in an epoch. Rates are medians of
rounds in random order; the last column compares within a round.
"""

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


def make_sets(place: str, images: int, size: int) -> None:
    """Write the same JPEGs as a folder and as TFDS sets in both formats."""
    import numpy as np
    import tensorflow_datasets as tfds
    from PIL import Image

    folder = Path(place) / "folder"
    for number in range(images):
        noise = np.random.default_rng(number).integers(0, 256, (size // 8, size // 8, 3), np.uint8)
        file = folder / "train" / f"{number % 100:03d}" / f"{number:06d}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(noise).resize((size, size), Image.Resampling.BICUBIC)
        picture.save(file, quality=90)

    class MadeImages(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self) -> tfds.core.DatasetInfo:
            image = tfds.features.Image(shape=(size, size, 3), encoding_format="jpeg")
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


def batches_of(place: str, way: str, size: int) -> Iterator[Any]:
    from steps import read_table

    from triplet_train.config import load_config
    from triplet_train.data.batches import PKBatches
    from triplet_train.data.pipeline import training_batches

    if way == "folder":
        data = f"dataset: image_folder, path: '{place}/folder'"
    else:
        format = "tfrecord" if way == "in memory" else way
        data = f"dataset: made_images, data_dir: '{place}/{format}'"
    cache = "memory" if way == "in memory" else BUDGET
    keys = f"data={{{data}, image_size: [{size}, {size}], cache: {cache}}}"
    images = read_table(load_config("digits_semihard", [keys]), "train")
    batches = PKBatches(images.labels, classes=CLASSES, per_class=PER_CLASS, seed=0)
    return iter(training_batches(images, batches, 0, range(1), 1))


def front_to_back(place: str) -> Iterator[Any]:
    import tensorflow_datasets as tfds

    (folder,) = (Path(place) / "tfrecord").glob("*/1.0.0")
    plain = tfds.ReadConfig(try_autocache=False)
    dataset = tfds.builder_from_directory(folder).as_dataset(split="train", read_config=plain)
    return iter(dataset.repeat().batch(BATCH).prefetch(2))


def measure(place: str, way: str | None, images: int, size: int) -> dict[str, float]:
    """MiB at the first batch and at most; without a way, make the sets that are read."""
    if way is None:
        make_sets(place, images, size)
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
    return (
        f"{what} decoded; a budget of {BUDGET}; batches of {CLASSES} x {PER_CLASS}.\n\n"
        f"{table(rows)}\n\n{rates(times, BATCH)}"
    )


if __name__ == "__main__":
    main(section, measure)
