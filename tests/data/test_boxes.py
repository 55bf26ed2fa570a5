"""Boxes that are cut out of images, against cutting the whole image first."""

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from tests.helpers.made_sets import picture
from triplet_train.data.boxes import Boxes
from triplet_train.data.decoding import make_decode, reader, sizes
from triplet_train.data.images import Stored
from triplet_train.errors import RunError

NONE = (np.nan,) * 4


def photo(width, height, seed=0):
    """A smooth picture with the noise of a camera."""
    colours = Image.fromarray(picture(seed, 6, 8)).resize((width, height), 3)
    noise = np.random.default_rng(seed).normal(0, 12, (height, width, 3))
    return Image.fromarray(np.clip(np.asarray(colours) + noise, 0, 255).astype(np.uint8))


def read(folder, name, corners, shape, policy="resize", in_pixels=True):
    boxes = Boxes(np.array([corners], np.float64), in_pixels)
    return reader(folder, [name], make_decode(shape, policy), shape, boxes)(np.array([0]))


def cut_first(folder, name, corners, shape, policy):
    """The whole image turned and cut, then read as an image of its own."""
    with Image.open(folder / name) as image:
        ImageOps.exif_transpose(image).crop(corners).save(folder / "cut.bmp")
    return make_decode(shape, policy)(folder / "cut.bmp")


@pytest.mark.parametrize("policy", ["pad", "crop", "resize"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_box_is_cut_from_the_upright_image_before_resizing(tmp_path, orientation, policy):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(picture(0, 23, 31)).save(tmp_path / "x.png", exif=exif)
    for corners in ((3, 5, 20, 18), (0, 0, 23, 23), (11, 7, 12, 8), (2, 1, 18, 21)):
        for shape in ((12, 12, 3), (30, 9, 1), (20, 16, 3)):
            expected = cut_first(tmp_path, "x.png", corners, shape, policy)
            (image,), failures = read(tmp_path, "x.png", corners, shape, policy)
            assert not failures
            np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_box_in_a_large_photograph_is_decoded_at_a_fraction_of_its_size(tmp_path, orientation):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    photo(801, 601).save(tmp_path / "x.jpg", quality=90, exif=exif)
    whole = (0, 0, 801, 601) if orientation < 5 else (0, 0, 601, 801)
    for policy, corners, in_pixels in (
        ("pad", (37, 43, 561, 577), True),
        ("crop", (51, 101, 383, 498), True),
        ("resize", (0, 0, 1, 1), False),
        ("resize", NONE, True),
    ):
        cut = corners if corners[2] > 1 else whole
        expected = cut_first(tmp_path, "x.jpg", cut, (16, 12, 3), policy)
        (image,), _ = read(tmp_path, "x.jpg", corners, (16, 12, 3), policy, in_pixels)
        assert abs(image.astype(int) - expected).max() <= 2


def test_fractions_are_those_of_the_upright_image_and_the_whole_image_needs_no_box(tmp_path):
    image = picture(0, 40, 60)
    Image.fromarray(image).save(tmp_path / "x.png")
    for corners, part in (
        ((0.1, 0.25, 0.5, 1), image[10:, 6:30]),
        ((0.1 + 0.2, 0, 1 + 1e-12, 1), image[:, 18:]),
        (NONE, image),
    ):
        (found,), _ = read(tmp_path, "x.png", corners, part.shape, in_pixels=False)
        np.testing.assert_array_equal(found, part)


def test_a_box_that_is_no_part_of_its_image_is_a_failure_of_its_row(tmp_path):
    Image.fromarray(picture(0, 48, 64)).save(tmp_path / "x.png")
    wrong = {
        (10, 20, 70, 30): "box 10,20,70,30 lies outside the image of 64 x 48",
        (-1, 0, 9, 9): "box -1,0,9,9 lies outside the image of 64 x 48",
        (np.inf, 0, np.inf, 9): "box inf,0,inf,9 has no area",
        (0, 0, 9, np.inf): "box 0,0,9,inf lies outside the image of 64 x 48",
        (9, 9, 9, 20): "box 9,9,9,20 has no area; expected left, top, right, bottom",
        (0, np.nan, 9, 9): "box 0,nan,9,9 has no area; expected left, top, right, bottom",
    }
    corners = np.array([NONE, *wrong, (0, 0, 8, 8)])
    paths, boxes = ["x.png"] * len(corners), Boxes(corners, True)
    decode = make_decode((8, 8, 3), "pad")
    images, failures = reader(tmp_path, paths, decode, (8, 8, 3), boxes)(np.arange(len(corners)))
    assert list(failures) == list(range(1, len(wrong) + 1))
    for line, reason in zip(failures.values(), wrong.values(), strict=True):
        assert line.startswith(f"{tmp_path}/x.png: {reason}")
    assert images[0].any() and images[-1].any() and not images[1:-1].any()
    size_of = sizes(tmp_path, paths, boxes)
    assert (size_of(0), size_of(len(wrong) + 1)) == (Stored(48, 64), Stored(8, 8))
    with pytest.raises(RunError, match=r"x\.png: box 10,20,70,30 lies outside"):
        size_of(1)
    _, failures = read(tmp_path, "x.png", (10, 20, 60, 40), (8, 8, 3), in_pixels=False)
    assert "box 10,20,60,40 (fractions of the size) lies outside" in failures[0]
