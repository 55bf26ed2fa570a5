"""Files that are decoded within a graph have the pixels that triplet-embed gives them."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import ExifTags, Image

from tests.helpers.encoded_files import blurred, write_all, write_few
from triplet_train.data.decoding import make_decode
from triplet_train.errors import RequestError
from triplet_train.exports.encoded_images import make_decode_bytes

BACKGROUND = (200, 30, 90)


def differences(folder, shape, policy):
    """The largest difference of a pixel, for each file. Most pixels are equal."""
    expected = make_decode(shape, policy, BACKGROUND)
    decode = make_decode_bytes(shape, policy, BACKGROUND)
    return {
        file.name: np.abs(expected(file) - decode(file.read_bytes()).numpy().astype(int)).max()
        for file in sorted(folder.iterdir())
    }


def test_pixels_differ_by_two_levels_at_most(tmp_path):
    write_few(tmp_path)
    found = differences(tmp_path, (32, 24, 3), "pad")
    assert len(found) == 6 and max(found.values()) <= 2, found


@pytest.mark.slow
def test_pixels_of_photographs_differ_by_two_levels_at_most(cifar10):
    expected = make_decode((96, 96, 3), "pad", BACKGROUND)
    decode = make_decode_bytes((96, 96, 3), "pad", BACKGROUND)
    photographs = sorted(cifar10.glob("test/*/*.jpg"))[::5]
    assert len(photographs) == 300
    for file in photographs:
        pixels = decode(file.read_bytes()).numpy().astype(int)
        assert np.abs(expected(file) - pixels).max() <= 2, file


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(32, 32, 3), (28, 40, 1)])
@pytest.mark.parametrize("policy", ["pad", "crop", "resize"])
def test_pixels_differ_by_two_levels_at_most_for_every_kind_of_file(tmp_path, shape, policy):
    write_all(tmp_path)
    found = differences(tmp_path, shape, policy)
    assert len(found) > 35 and max(found.values()) <= 2, found


@pytest.mark.slow
def test_a_file_that_cannot_be_decoded_is_named_and_damaged_exif_data_do_no_harm(tmp_path):
    decode = make_decode_bytes((8, 8, 3), "pad", BACKGROUND)
    blurred(20, 20).save(tmp_path / "a.gif")
    with pytest.raises(tf.errors.InvalidArgumentError, match="not a JPEG, PNG or WebP file"):
        decode((tmp_path / "a.gif").read_bytes())
    frames = [blurred(20, 20), blurred(20, 20)]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:])
    with pytest.raises(tf.errors.InvalidArgumentError, match="an animated WebP file"):
        decode((tmp_path / "a.webp").read_bytes())
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    blurred(20, 10).save(tmp_path / "b.jpg", exif=exif)
    file = (tmp_path / "b.jpg").read_bytes()
    at = file.index(b"Exif\0\0") + 6
    for place in range(at, at + 24):  # order of bytes, offset, number of entries, the entry
        decode(file[:place] + b"\xff" + file[place + 1 :])


def test_towers_of_other_channels_are_refused():
    with pytest.raises(RequestError, match="images of 4 channels"):
        make_decode_bytes((8, 8, 4), "pad", BACKGROUND)
