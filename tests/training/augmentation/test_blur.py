import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.helpers.augmented import changed, noise
from triplet_train.config import AugmentConfig

draw = st.floats(0, 1, exclude_max=True, width=32)


def blurred_by_loops(image, deviation, reach):
    """Float64 [H, W, C]: the sum over all neighbours, weighted by a Gaussian in two dimensions."""
    height, width, _ = image.shape
    result = np.zeros(image.shape)
    for y in range(height):
        for x in range(width):
            total = 0.0
            for dy in range(-reach, reach + 1):
                for dx in range(-reach, reach + 1):
                    weight = math.exp(-(dx * dx + dy * dy) / (2 * deviation**2))
                    i, j = np.clip([y + dy, x + dx], 0, [height - 1, width - 1])
                    result[y, x] += weight * image[i, j]
                    total += weight
            result[y, x] /= total
    return result


@settings(max_examples=15, deadline=None)
@example(3, 4, 3, 1.0, 0.01)
@given(st.integers(1, 6), st.integers(1, 6), st.sampled_from([1, 3, 4]), st.floats(0.1, 2.0), draw)
def test_blurring_is_the_convolution_with_a_gaussian(height, width, channels, blur, drawn):
    image = noise(height, width, channels)
    got = changed(AugmentConfig(blur=blur), image[np.newaxis], blur=drawn)[0]
    expected = blurred_by_loops(image, max(blur * drawn, 0.03), math.ceil(3 * blur))
    assert np.abs(got - expected).max() < 0.51


def test_a_plain_image_stays_plain_and_a_step_is_spread_to_both_sides_alike():
    plain = np.full((1, 9, 7, 3), 77, np.uint8)
    np.testing.assert_array_equal(changed(AugmentConfig(blur=2.0), plain, blur=0.9), plain)
    step = np.zeros((1, 4, 20, 1), np.uint8)
    step[:, :, 10:] = 255
    got = changed(AugmentConfig(blur=2.0), step, blur=0.9).astype(int)
    np.testing.assert_allclose(got + got[:, :, ::-1], 255, atol=1)
    assert got[0, 0, 9, 0] == pytest.approx(255 * 0.39, abs=4)
