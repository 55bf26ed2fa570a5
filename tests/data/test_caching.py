"""Images in memory, or read as they are needed: the same batches, in bounded memory."""

from dataclasses import replace

import numpy as np
import psutil
import pytest

from tests.helpers.made_sets import make_folder
from tests.helpers.small_runs import IMAGES, start
from tests.helpers.tables import pixels, table
from triplet_train.config import DataConfig
from triplet_train.data.batches import PKBatches
from triplet_train.data.caching import cached, which_fit
from triplet_train.data.pipeline import training_batches
from triplet_train.data.source import open_source
from triplet_train.errors import RequestError, RunError


def data(cache="auto"):
    return DataConfig(dataset="digits", cache=cache)


@pytest.fixture(scope="module")
def sources(digits_in_both_formats):
    """Sources: digits in both file formats of TFDS, and colour files in folders."""
    place = digits_in_both_formats
    make_folder(place / "files", [f"train/{i % 3}/{i}.jpg" for i in range(30)], (9, 14))
    folder = {"dataset": "image_folder", "path": str(place / "files"), "image_size": (8, 8)}
    return {
        "tfrecord": DataConfig(dataset="digits", data_dir=str(place / "tfrecord")),
        "array_record": DataConfig(dataset="digits", data_dir=str(place / "array_record")),
        "folder": DataConfig(**folder),
    }


@pytest.mark.parametrize("kind", ["tfrecord", "array_record", "folder"])
def test_batches_are_the_same_from_memory_and_from_disk(sources, kind):
    on_disk = open_source(sources[kind]).table("train")
    (held,) = cached([on_disk], data("memory"))
    assert held.try_read is not on_disk.try_read
    assert cached([on_disk], data("disk")) == [on_disk]
    streams = []
    for images in (on_disk, held):  # each reads ahead in threads, and draws its own batches
        batches = PKBatches(images.labels, classes=3, per_class=4, seed=0)
        stream = training_batches(images, batches, 5, range(1), 1)
        streams.append(stream.take(20).as_numpy_iterator())
    for one, other in zip(*streams, strict=True):
        for part, same in zip(one, other, strict=True):
            np.testing.assert_array_equal(part, same)


def test_both_file_formats_hold_the_same_rows(sources):
    one, other = (open_source(sources[kind]).table("test[5:90]") for kind in list(sources)[:2])
    np.testing.assert_array_equal(pixels(one), pixels(other))
    assert one.labels.tolist() == other.labels.tolist()
    assert [id_.split("__")[1] for id_ in other.ids] == [str(row) for row in range(5, 90)]


@pytest.mark.parametrize(
    ("cache", "held"),
    [("auto", True), ("memory", True), ("disk", False), ("3839 B", False), ("3840 B", True)],
)
def test_images_are_held_while_they_fit_the_budget(cache, held):
    images = table(np.zeros((60, 8, 8, 1), np.uint8), np.arange(60))
    assert images.bytes == 3840
    assert (cached([images], data(cache))[0] is not images) == held


def test_the_budget_is_that_of_all_tables_together():
    large, small = (table(np.zeros((rows, 8, 8, 1), np.uint8), np.arange(rows)) for rows in (60, 9))
    assert which_fit([large, small], data("4000 B")) == [True, False]
    assert which_fit([large, small], data("600 B")) == [False, True]


def test_images_that_must_be_in_memory_and_do_not_fit_are_refused(monkeypatch):
    images = table(np.zeros((60, 8, 8, 1), np.uint8), np.arange(60))

    class Little:
        available = 3000

    monkeypatch.setattr(psutil, "virtual_memory", lambda: Little)
    with pytest.raises(RequestError, match=r"data\.cache: .* do not fit"):
        cached([images], data("memory"))
    assert cached([images], data("auto")) == [images]


@pytest.mark.parametrize("failures", [1, 99], ids=["once", "for good"])
def test_an_image_that_turns_out_unreadable_ends_the_run_by_its_name(
    tmp_path, digits_config, failures
):
    broken = IMAGES.ids[7]

    def try_read(rows):
        nonlocal failures
        if 7 in rows and failures:
            failures -= 1
            return IMAGES.read(rows), {0: f"{broken}: cut off"}
        return IMAGES.try_read(rows)

    config = digits_config("batch.classes=4", "train.checkpoint_every=1")
    batches = PKBatches(IMAGES.labels, classes=4, per_class=4, seed=config.seed)
    step = next(s for s in range(99) if 7 in batches.rows(s)) + 1
    with pytest.raises(
        RunError, match=rf"step {step}: .*{broken}: cut off[;)].*step_0*{step - 1}\b"
    ):
        start(config, tmp_path, images=replace(IMAGES, try_read=try_read))
