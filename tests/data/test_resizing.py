"""Policies for images of another aspect ratio."""

import numpy as np
import pytest
from PIL import Image

from triplet_train.data.decoding import make_decode

# A white disc in the middle of a grey image, wider than it is high.
Y, X = np.mgrid[:40, :80]
DISC = np.where((Y - 19.5) ** 2 + (X - 39.5) ** 2 < 15**2, 255, 100).astype(np.uint8)[..., None]


def fit(image, shape, policy, folder):
    Image.fromarray(image[..., 0]).save(folder / "x.png")
    return make_decode(shape, policy)(folder / "x.png")


def test_pad_keeps_the_whole_image_and_its_ratio(tmp_path):
    image = fit(DISC, (20, 20, 1), "pad", tmp_path)
    assert not image[:5].any() and not image[15:].any() and image[5:15].all()
    white = image[..., 0] > 200
    assert abs(white.any(0).sum() - white.any(1).sum()) <= 1  # round as it was


def test_crop_keeps_the_ratio_and_fills_the_image(tmp_path):
    image = fit(DISC, (20, 20, 1), "crop", tmp_path)
    white = image[..., 0] > 200
    assert image.all() and abs(white.any(0).sum() - white.any(1).sum()) <= 1
    assert white.any(0).sum() > 12


def test_resize_fills_the_image_with_the_whole_picture(tmp_path):
    image = fit(DISC, (20, 20, 1), "resize", tmp_path)
    white = image[..., 0] > 200
    assert image.all() and white.any(1).sum() > 1.7 * white.any(0).sum()


@pytest.mark.parametrize("policy", ["pad", "crop", "resize"])
@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (3, 2)])
def test_images_of_odd_sizes_are_taken(tmp_path, policy, size):
    image = np.full((*size, 1), 200, np.uint8)
    fitted = fit(image, (7, 5, 1), policy, tmp_path)
    assert fitted.shape == (7, 5, 1) and fitted.max() == 200


@pytest.mark.parametrize("policy", ["pad", "crop", "resize"])
def test_an_image_of_the_right_size_stays_as_it_is(tmp_path, policy):
    image = fit(DISC, DISC.shape, policy, tmp_path)
    np.testing.assert_array_equal(image, DISC)
