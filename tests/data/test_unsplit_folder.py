import os
import struct

import numpy as np
import pytest
from PIL import Image

from tests.helpers.made_sets import make_folder
from triplet_train.data.decoding import make_decode
from triplet_train.data.image_files import find_images
from triplet_train.data.images import shard_of
from triplet_train.data.unsplit_folder import unsplit_images
from triplet_train.errors import RequestError, RunError

RANDOM = np.random.default_rng(0)


def pixels(*shape):
    return RANDOM.integers(0, 256, shape, np.uint8)


@pytest.fixture
def tree(tmp_path):
    """Two classes of 8x8 grey images, one of them deeper, and an image without a class."""
    for path in ("cat/b.png", "cat/a.png", "big/dog/1.png", "top.png", "cat/.hidden.png"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(8, 8)).save(tmp_path / path)
    (tmp_path / "notes.txt").write_text("not an image")
    return tmp_path


def read_all(folder, shape=(8, 8, 1), size=2, shard=(1, 1), **options):
    table = shard_of(unsplit_images(folder, shape, "resize", **options), *shard)
    return table, list(table.batches(size))


def test_a_tree_is_read_by_path_with_a_class_per_folder(tree):
    table, batches = read_all(tree)
    assert len(table) == 4 and not table.split
    ids = [id_ for batch in batches for id_ in batch.ids]
    assert ids == ["big/dog/1.png", "cat/a.png", "cat/b.png", "top.png"]
    assert np.concatenate([b.labels for b in batches]).tolist() == [0, 1, 1, -1]
    assert batches[0].class_names == {0: "big/dog", 1: "cat", -1: ""}
    images = np.concatenate([b.images for b in batches])
    for image, id_ in zip(images, ids, strict=True):
        np.testing.assert_array_equal(image[..., 0], np.asarray(Image.open(tree / id_)))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 100])
def test_batches_of_any_size_hold_every_image_once(tree, size):
    _, batches = read_all(tree, size=size)
    assert max(map(len, batches)) <= size
    assert [i for batch in batches for i in batch.ids] == find_images(tree).images


def test_shards_in_order_are_the_whole(tree):
    parts = [read_all(tree, shard=(index, 3)) for index in (1, 2, 3)]
    assert sum(len(table) for table, _ in parts) == 4
    ids = [id_ for _, batches in parts for batch in batches for id_ in batch.ids]
    assert ids == find_images(tree).images
    assert all(b.class_names == {0: "big/dog", 1: "cat", -1: ""} for _, bs in parts for b in bs)


MODES = ["L", "RGB", "RGBA", "P", "1"]
KINDS = [
    ("jpg", "L"),
    ("jpg", "RGB"),
    *((s, m) for s in ("png", "bmp", "gif", "webp") for m in MODES),
]


@pytest.mark.parametrize("suffix, mode", KINDS)
def test_every_kind_and_mode_of_image_is_converted_for_the_tower(tmp_path, suffix, mode):
    Image.fromarray(pixels(12, 10, 3)).convert(mode).save(tmp_path / f"x.{suffix}")
    for shape in ((8, 8, 1), (12, 10, 3), (30, 20, 3)):
        image = make_decode(shape, "pad")(tmp_path / f"x.{suffix}")
        assert image.shape == shape and image.dtype == np.uint8


def test_sixteen_bits_are_scaled_and_not_cut_off(tmp_path):
    deep = (np.arange(64, dtype=np.uint16).reshape(8, 8) * 1023).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "x.png")
    np.testing.assert_array_equal(
        make_decode((8, 8, 1), "pad")(tmp_path / "x.png")[..., 0], deep // 257
    )


def test_a_photograph_is_turned_the_way_its_camera_was_held(tmp_path):
    upright = pixels(8, 6)
    exif = Image.Exif()
    exif[0x0112] = 8  # the camera was turned by 90 degrees
    Image.fromarray(np.rot90(upright, -1)).save(tmp_path / "x.png", exif=exif)
    np.testing.assert_array_equal(
        make_decode((8, 6, 1), "pad")(tmp_path / "x.png")[..., 0], upright
    )


def test_unreadable_images_are_listed_with_their_paths_and_the_others_are_read(tree):
    whole = (tree / "cat/a.png").read_bytes()
    bad = {
        "cat/cut.png": whole[: len(whole) // 2],
        "cat/empty.jpg": b"",
        "cat/text.gif": b"no image at all",
        "cat/huge.png": whole[:16] + struct.pack(">II", 60_000, 60_000) + whole[24:],
    }
    for path, content in bad.items():
        (tree / path).write_bytes(content)
    os.symlink(tree / "nowhere", tree / "cat/dangling.png")
    table, batches = read_all(tree)
    assert sum(map(len, batches)) == 4 and len(table) == 9
    for path in (*bad, "cat/dangling.png"):
        assert sum(str(tree / path) + ": " in line for line in table.unreadable) == 1
    with pytest.raises(RunError, match=r"cat/cut\.png: "):
        read_all(tree, strict=True)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_damaged_image_is_read_or_listed(tmp_path):
    for kind in ("png", "jpg", "gif", "webp", "bmp"):
        Image.fromarray(pixels(9, 9, 3)).save(tmp_path / f"whole.{kind}")
        whole = (tmp_path / f"whole.{kind}").read_bytes()
        for number in range(60):
            wrong = bytearray(whole)
            for place in RANDOM.integers(0, len(whole), 8):
                wrong[place] = RANDOM.integers(256)
            (tmp_path / f"{number}.{kind}").write_bytes(wrong)
    table, batches = read_all(tmp_path, size=50)
    assert sum(map(len, batches)) + len(table.unreadable) == len(table) == 305


def test_a_name_that_is_not_utf_8_is_listed(tree):
    name = os.fsencode(str(tree)) + b"/cat/\xff.png"
    with open(name, "wb") as file:
        file.write((tree / "cat/a.png").read_bytes())
    table, _ = read_all(tree)
    (line,) = table.unreadable
    assert "cat/\\xff.png" in line


def test_links_to_folders_are_followed_once(tree):
    os.symlink(tree, tree / "cat/loop")
    os.symlink(tree / "big", tree / "zlink")
    assert find_images(tree).images == ["big/dog/1.png", "cat/a.png", "cat/b.png", "top.png"]


def test_a_folder_without_images_is_refused(tmp_path):
    (tmp_path / "x.txt").write_text("")
    for folder in (tmp_path, tmp_path / "nowhere", tmp_path / "x.txt"):
        with pytest.raises(RequestError, match="--images"):
            unsplit_images(folder, (8, 8, 1), "pad")


def test_a_pipe_or_a_device_is_listed_as_unreadable_without_waiting(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        os.mkfifo(tmp_path / name / "pipe.png")
        (tmp_path / name / "device.png").symlink_to("/dev/zero")
    table = unsplit_images(tmp_path, (2, 2, 1), "resize")
    assert not any(len(batch.ids) for batch in table.batches(4))
    assert len(table.unreadable) == 4
    assert all(line.endswith(": not a regular file") for line in table.unreadable)


def test_files_of_other_kinds_are_counted_for_a_folder_to_embed(tmp_path):
    make_folder(tmp_path, ["ant/1.png", "bee/1.png"])
    for name in ("ant/1.dcm", "ant/2.DCM", "bee/1.heic", "bee/1.svg", "notes"):
        (tmp_path / name).touch()
    (note,) = unsplit_images(tmp_path, (8, 8, 3), "pad").notes
    assert note.startswith(f"left out: 5 files in {tmp_path} whose names do not end like")
    for kind in (".dcm (1)", ".DCM (1)", ".heic (1)", ".svg (1)", "no suffix (1)"):
        assert kind in note
