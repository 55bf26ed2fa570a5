import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.augmented import changed, noise
from triplet_train.config import AugmentConfig

draw = st.floats(0, 1, exclude_max=True, width=32)
CROP = ["crop", "crop_stretch", "crop_left", "crop_top"]
GEOMETRY = [*CROP, "rotate", "shift_x", "shift_y", "zoom", "shear", "flip_x", "flip_y"]


def kept_part(config, height, width, draws):
    """Left, top, width and height in pixels of the rectangle that a crop keeps."""
    area = 1 - config.crop * draws["crop"]
    widest = min(4 / 3, 1 / area)  # beyond it, the rectangle would be wider than the image
    stretch = widest ** (2 * draws["crop_stretch"] - 1)
    wide, tall = math.sqrt(area * stretch) * width, math.sqrt(area / stretch) * height
    return draws["crop_left"] * (width - wide), draws["crop_top"] * (height - tall), wide, tall


def warped_by_loops(config, image, draws):
    """Float64 [H, W, C]: every pixel read where the inverse of the product of matrices sends it."""
    height, width, _ = image.shape
    left, top, wide, tall = kept_part(config, height, width, draws)
    way = {name: 2.0 * value - 1 for name, value in draws.items()}
    angle = math.radians(config.rotate * way["rotate"])
    flip_x = config.flip in ("horizontal", "both") and draws["flip_x"] < 0.5
    flip_y = config.flip in ("vertical", "both") and draws["flip_y"] < 0.5
    rotation = [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]
    zoom = np.eye(2) * (1 + config.zoom * way["zoom"])
    shear = [[1, config.shear * way["shear"]], [0, 1]]
    flip = np.diag([-1 if flip_x else 1, -1 if flip_y else 1])
    back = np.linalg.inv(np.array(rotation) @ zoom @ shear @ flip)
    shift = config.shift * np.array([width * way["shift_x"], height * way["shift_y"]])
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    result = np.empty(image.shape)
    for y in range(height):
        for x in range(width):
            across, down = back @ (np.array([x, y]) - centre - shift) + centre + 0.5
            place = np.array([left + across * wide / width, top + down * tall / height]) - 0.5
            u, v = np.clip(place, 0, [width - 1, height - 1])
            i, j = int(v), int(u)
            below, after = min(i + 1, height - 1), min(j + 1, width - 1)
            upper = image[i, j] * (1 - u + j) + image[i, after] * (u - j)
            lower = image[below, j] * (1 - u + j) + image[below, after] * (u - j)
            result[y, x] = upper * (1 - v + i) + lower * (v - i)
    return result


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 6),
    st.integers(1, 6),
    st.sampled_from([1, 3, 4]),
    st.fixed_dictionaries({name: draw for name in GEOMETRY}),
    st.sampled_from([None, "horizontal", "vertical", "both"]),
)
def test_one_warp_is_the_product_of_its_parts(height, width, channels, draws, flip):
    config = AugmentConfig(crop=0.9, rotate=180.0, shift=0.5, zoom=0.5, shear=0.9, flip=flip)
    image = noise(height, width, channels)
    got = changed(config, image[np.newaxis], **draws)[0]
    expected = warped_by_loops(config, image, draws)
    assert got.dtype == np.uint8
    assert np.abs(got - expected).max() < 0.51  # half a level of rounding


@pytest.mark.parametrize("shape", [(2, 4, 6, 1), (2, 5, 7, 3), (2, 1, 4, 4)])
@pytest.mark.parametrize(
    "flip, axes", [("horizontal", [2]), ("vertical", [1]), ("both", [1, 2]), (None, [])]
)
def test_flips_are_exact(shape, flip, axes):
    images = noise(*shape)
    got = changed(AugmentConfig(flip=flip, rotate=10.0), images, flip_x=0.2, flip_y=0.2)
    np.testing.assert_array_equal(got, np.flip(images, axes))


@pytest.mark.parametrize("drawn, quarters", [(0.75, 1), (0.25, -1), (0.0, 2)])
def test_a_quarter_turn_is_that_of_numpy(drawn, quarters):
    images = noise(2, 6, 6, 3)
    got = changed(AugmentConfig(rotate=180.0), images, rotate=drawn)
    np.testing.assert_array_equal(got, np.rot90(images, quarters, axes=(1, 2)))


def test_pixels_from_outside_continue_the_edge():
    images = noise(2, 8, 4, 1)
    got = changed(AugmentConfig(shift=0.5), images, shift_y=0.75, shift_x=0.25)  # 2 down, 1 left
    beyond = np.pad(images, ((0, 0), (2, 0), (0, 1), (0, 0)), "edge")
    np.testing.assert_array_equal(got, beyond[:, :8, 1:])


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 0.99), st.fixed_dictionaries({name: draw for name in CROP}))
def test_the_kept_part_lies_in_the_image_and_has_the_drawn_area(crop, draws):
    left, top, wide, tall = kept_part(AugmentConfig(crop=crop), 6, 7, draws)
    assert left >= 0 and left + wide < 7 + 1e-9 and top >= 0 and top + tall < 6 + 1e-9
    assert wide * tall == pytest.approx(42 * (1 - crop * draws["crop"]))
    assert 3 / 4 - 1e-9 < (wide / 7) / (tall / 6) < 4 / 3 + 1e-9


def test_a_crop_of_a_quarter_is_each_pixel_of_a_corner_enlarged():
    images = np.zeros((1, 8, 8, 1), np.uint8)
    images[:, :4, 4:] = 200
    got = changed(AugmentConfig(crop=0.75), images, crop=1.0, crop_left=1.0, crop_top=0.0)
    np.testing.assert_array_equal(got[:, :7, 1:], 200)  # the other pixels lie on the border


def test_crops_are_those_of_the_random_resized_crop_that_draws_again_until_it_fits():
    """For square images and a given area, by the quantiles of the width."""
    area, again = 0.7, np.random.default_rng(1)
    aspects = np.exp(again.uniform(math.log(3 / 4), math.log(4 / 3), 10**5))
    fits = (area * aspects <= 1) & (area / aspects <= 1)
    expected = np.sort(np.sqrt(area * aspects[fits]))
    draws = {"crop": 0.3 / 0.9, "crop_left": 0.5, "crop_top": 0.5}
    for quantile in (0.1, 0.5, 0.9):
        kept = kept_part(AugmentConfig(crop=0.9), 1, 1, draws | {"crop_stretch": quantile})
        assert kept[2] == pytest.approx(np.quantile(expected, quantile), abs=0.01)
