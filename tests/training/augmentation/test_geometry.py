import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.augmented import changed, noise
from triplet_train.config import AugmentConfig

draw = st.floats(0, 1, exclude_max=True, width=32)
GEOMETRY = ["rotate", "shift_x", "shift_y", "zoom", "shear", "flip_x", "flip_y"]


def warped_by_loops(config, image, draws):
    """Float64 [H, W, C]: every pixel read where the inverse of the product of matrices sends it."""
    height, width, _ = image.shape
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
            place = back @ (np.array([x, y]) - centre - shift) + centre
            u, v = np.clip(place, 0, [width - 1, height - 1])
            left, top = int(u), int(v)
            right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
            above = image[top, left] * (1 - u + left) + image[top, right] * (u - left)
            below = image[bottom, left] * (1 - u + left) + image[bottom, right] * (u - left)
            result[y, x] = above * (1 - v + top) + below * (v - top)
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
    config = AugmentConfig(rotate=180.0, shift=0.5, zoom=0.5, shear=0.9, flip=flip)
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
