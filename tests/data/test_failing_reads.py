"""A read that fails for a moment gives the right images; one that fails for good, a message."""

import os
from errno import EIO
from pathlib import Path

import numpy as np
import pytest
from array_record.python.array_record_data_source import ArrayRecordDataSource
from PIL import Image

from tests.helpers.failing_reads import FOR_GOOD, MOMENTARY, failing
from tests.helpers.made_sets import make_folder
from tests.helpers.small_runs import start
from tests.helpers.tables import pixels
from triplet_train.config import DataConfig
from triplet_train.data.caching import cached
from triplet_train.data.classes import rotated
from triplet_train.data.images import selected
from triplet_train.data.source import open_source
from triplet_train.data.sources.tfds.label_index import FOLDER
from triplet_train.data.summary import summary
from triplet_train.data.unsplit_folder import unsplit_images
from triplet_train.errors import RunError

READERS = {
    "folder": (Image, "open"),
    "tfrecord": (os, "pread"),
    "array_record": (ArrayRecordDataSource, "__getitems__"),
}


@pytest.fixture(scope="module")
def place(digits_in_both_formats):
    """A folder with those digits, and with images in folders."""
    paths = [f"train/{i % 3}/{i}.png" for i in range(30)]
    make_folder(digits_in_both_formats / "folder", paths)
    return digits_in_both_formats


def table_of(place, kind):
    if kind == "folder":
        where = {"dataset": "image_folder", "path": str(place / kind), "image_size": (8, 8)}
        return open_source(DataConfig(**where)).table("train")
    return open_source(DataConfig(dataset="digits", data_dir=str(place / kind))).table("test[:70]")


def hold(table):
    (held,) = cached([table], DataConfig(dataset="digits"))
    return held


@pytest.mark.parametrize("number", MOMENTARY, ids=os.strerror)
@pytest.mark.parametrize("kind", READERS)
def test_a_read_that_fails_once_gives_the_right_images(place, kind, number):
    table = table_of(place, kind)
    expected = pixels(table)
    for use in (pixels, lambda table: pixels(hold(table)), lambda table: table):
        with failing(*READERS[kind], number) as failed:
            images = use(table)
            if not isinstance(images, np.ndarray):
                images = np.concatenate([batch.images for batch in images.batches(16)])
        assert failed
        np.testing.assert_array_equal(images, expected)


@pytest.mark.parametrize("kind", READERS)
def test_a_read_that_fails_again_is_never_taken_for_images(place, kind):
    table = table_of(place, kind)
    expected, refused = pixels(table), 0
    for times in (1, 2, 3, 5, 8, 11):
        with failing(*READERS[kind], times=times):
            try:
                np.testing.assert_array_equal(pixels(hold(table)), expected)
            except RunError as error:
                assert "cannot be read" in str(error) or "cannot read" in str(error)
                refused += 1
    assert refused


@pytest.mark.parametrize("number", MOMENTARY, ids=os.strerror)
@pytest.mark.parametrize("kind", READERS)
def test_a_read_that_fails_for_good_names_image_and_cause(place, kind, number):
    table = table_of(place, kind)
    turned = rotated(selected(table, np.arange(9, 20)))
    for use in (pixels, hold, lambda table: list(table.batches(4))):
        for some in (table, turned):
            first = some.ids[0].split("@")[0]
            with (
                failing(*READERS[kind], number, FOR_GOOD),
                pytest.raises(RunError, match=rf"{first}.*{os.strerror(number)}"),
            ):
                use(some)


def test_records_that_fail_otherwise_are_named_too(place):
    table = table_of(place, "array_record")
    reader, expected = READERS["array_record"], pixels(table)
    with failing(*reader, kind=RuntimeError):
        np.testing.assert_array_equal(pixels(table), expected)
    with (
        failing(*reader, times=FOR_GOOD, kind=RuntimeError),
        pytest.raises(RunError, match=f"cannot read the image .*{table.ids[0]}: Input/output"),
    ):
        pixels(table)


def test_the_file_of_records_that_cannot_be_read_is_named(place):
    table = table_of(place, "tfrecord")
    with (
        failing(*READERS["tfrecord"], times=FOR_GOOD),
        pytest.raises(RunError, match=r"cannot read .*digits-test\.tfrecord.*__0: .*/digits-test"),
    ):
        pixels(table)


@pytest.mark.parametrize("format", ["tfrecord", "array_record"])
def test_a_file_whose_labels_cannot_be_read_is_named_and_read_the_next_time(place, format):
    expected = table_of(place, format).labels
    source = open_source(DataConfig(dataset="digits", data_dir=str(place / format)))
    (file,) = (place / format).rglob(f"digits-test.{format}*-of-00001")
    stat = Path.stat

    def fails(path, **options):
        if path == file:
            raise OSError(EIO, os.strerror(EIO), str(path))
        return stat(path, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "stat", fails)
        with pytest.raises(RunError, match=f"digits/1.0.0 test: .*Input/output.*{file}"):
            source.table("test")
    with failing(np, "load") as failed:  # of what is kept; the labels are found again
        np.testing.assert_array_equal(source.table("test[:70]").labels, expected)
    assert FOLDER in str(failed)


def test_images_of_any_folder_that_fail_once_are_embedded_and_for_good_are_listed(place):
    def images(strict=False):
        table = unsplit_images(place / "folder", (8, 8, 3), "pad", strict=strict)
        return table, [batch.images for batch in table.batches(7)]

    expected = np.concatenate(images()[1])
    for number in MOMENTARY:
        with failing(Image, "open", number):
            table, some = images()
        assert not table.unreadable
        np.testing.assert_array_equal(np.concatenate(some), expected)
        with failing(Image, "open", number, FOR_GOOD):
            table, some = images()
            assert not sum(map(len, some)) and len(table.unreadable) == 30
            assert all(os.strerror(number) in line for line in table.unreadable)
            with pytest.raises(RunError, match=os.strerror(number)):
                images(strict=True)


def test_sizes_that_cannot_be_looked_up_are_reported(place):
    table = table_of(place, "folder")
    with failing(Image, "open", times=FOR_GOOD):
        told = "\n".join(summary(table, DataConfig(dataset="digits"), held=True))
    assert f"cannot be read: {place}/folder/{table.ids[0]}: [Errno 5]" in told


def test_training_that_cannot_read_a_batch_names_image_step_and_checkpoint(
    tmp_path, digits_config, place
):
    images = table_of(place, "tfrecord")
    with (
        failing(*READERS["tfrecord"], times=FOR_GOOD),
        pytest.raises(RunError, match=r"step 1: .*__\d+: .*Input/output.*; .*step_0"),
    ):
        start(digits_config("batch.classes=3"), tmp_path, images=images)
