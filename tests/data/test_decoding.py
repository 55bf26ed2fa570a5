"""Image files that are decoded, and the threads that do so."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from tests.helpers.made_sets import make_folder
from triplet_train.data.classes import rotated
from triplet_train.data.decoding import make_decode
from triplet_train.data.images import selected
from triplet_train.data.unsplit_folder import unsplit_images


def decoding_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


def test_all_tables_share_the_threads_of_the_process(tmp_path):
    make_folder(tmp_path, [f"{number}.png" for number in range(40)])
    for _ in range(3):
        assert sum(map(len, unsplit_images(tmp_path, (8, 8, 3), "pad").batches(5))) == 40
    assert 1 <= len(decoding_threads()) <= os.cpu_count()


FORK = """
import os, sys
from pathlib import Path
import numpy as np
from triplet_train.data.unsplit_folder import unsplit_images
table = unsplit_images(Path(sys.argv[1]), (8, 8, 3), "pad")
table.read(np.array([0]))
child = os.fork()
table.read(np.array([0]))
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_process_decodes_with_threads_of_its_own(tmp_path):
    make_folder(tmp_path, ["a.png"])
    subprocess.run([sys.executable, "-c", FORK, tmp_path], check=True, timeout=60)


def test_a_failure_is_that_of_its_place_whatever_the_order_and_the_turn(tmp_path):
    make_folder(tmp_path, ["a.png", "b.png", "c.png"])
    (tmp_path / "b.png").write_bytes(b"no image")
    table = unsplit_images(tmp_path, (8, 8, 3), "pad")
    for some, rows, places in (
        (table, [2, 1, 0, 1], {1, 3}),
        (selected(table, np.array([1, 2])), [1, 0], {1}),
        (rotated(table), [3, 4, 11, 7, 0], {1, 3}),
    ):
        images, failures = some.try_read(np.array(rows))
        assert failures.keys() == places
        assert all(str(tmp_path / "b.png") in line for line in failures.values())
        assert {place for place, image in enumerate(images) if not image.any()} == places


@pytest.mark.parametrize("orientation", range(1, 10))
def test_an_image_is_turned_the_way_its_camera_was_held(tmp_path, orientation):
    file = make_folder(tmp_path, ["1.png"], (8, 5)) / "1.png"
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    with Image.open(file) as image:
        image.save(file, exif=exif)
    with Image.open(file) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(make_decode(expected.shape, "resize")(file), expected)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_damaged_camera_metadata_leaves_the_image_unchanged(tmp_path):
    file = make_folder(tmp_path, ["1.png"], (8, 5)) / "1.png"
    decode, random = make_decode((8, 5, 3), "resize"), np.random.default_rng(0)
    expected = decode(file)
    exif = Image.Exif()
    exif[ExifTags.Base.XResolution], exif[ExifTags.Base.Make] = 3.0, "someone"
    whole = exif.tobytes()
    with Image.open(file) as image:
        for _ in range(100):
            damaged = bytearray(whole)
            damaged[random.integers(6, len(whole))] = random.integers(256)
            image.save(file, exif=bytes(damaged))
            np.testing.assert_array_equal(decode(file), expected)
