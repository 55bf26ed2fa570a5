import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.augmented import STRONG, augment, changed, noise
from triplet_train.config import AugmentConfig

OF_COLOURS = {name: getattr(STRONG, name) for name in ("saturation", "hue", "grayscale")}
COLOURS = AugmentConfig(**OF_COLOURS)  # in a fraction of the time of all options

draw = st.floats(0, 1, exclude_max=True, width=32)


@settings(max_examples=30, deadline=None)
@given(draw, draw)
def test_contrast_stretches_about_middle_grey_and_brightness_adds(contrast, brightness):
    images = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    config = AugmentConfig(contrast=0.75, brightness=0.5)
    got = changed(config, images, contrast=contrast, brightness=brightness)
    factor = 1 + 0.75 * (2 * contrast - 1)
    expected = 127.5 + (images - 127.5) * factor + 255 * 0.5 * (2 * brightness - 1)
    assert np.abs(got - np.clip(expected, 0, 255)).max() < 0.51


def changed_in_yiq(pixels, saturation, turn):
    """Float64 [..., 3]: hue and saturation as tensorflow_addons defined `adjust_hsv_in_yiq`."""
    red, green, blue = np.moveaxis(np.float64(pixels), -1, 0)
    y = 0.299 * red + 0.587 * green + 0.114 * blue
    i = 0.5959 * red - 0.2746 * green - 0.3213 * blue
    q = 0.2115 * red - 0.5227 * green + 0.3112 * blue
    cosine, sine = (saturation * part(2 * np.pi * turn) for part in (np.cos, np.sin))
    i, q = cosine * i - sine * q, sine * i + cosine * q
    # Of the inverse, as the standard prints it.
    rgb = [y + 0.956 * i + 0.619 * q, y - 0.272 * i - 0.647 * q, y - 1.106 * i + 1.703 * q]
    return np.clip(np.stack(rgb, axis=-1), 0, 255)


@settings(max_examples=30, deadline=None)
@given(draw, draw, draw)
def test_hue_turns_and_saturation_stretches_the_colours_in_yiq(saturation, hue, grayscale):
    images = noise(2, 4, 5, 3)
    got = changed(COLOURS, images, saturation=saturation, hue=hue, grayscale=grayscale)
    factor = 0 if grayscale < STRONG.grayscale else 1 + STRONG.saturation * (2 * saturation - 1)
    expected = changed_in_yiq(images, factor, STRONG.hue * (2 * hue - 1))
    assert np.abs(got - expected).max() < 1.5  # the printed inverse has three digits


def test_saturation_mixes_an_image_with_its_luma_exactly():
    images = noise(2, 4, 5, 3)
    luma = images @ np.array([[0.299], [0.587], [0.114]])
    got = changed(AugmentConfig(saturation=0.5), images, saturation=0.0)
    assert np.abs(got - (0.5 * images + 0.5 * luma)).max() < 0.51


def test_a_grey_image_has_the_luma_in_every_channel():
    images = noise(2, 4, 5, 3)
    got = changed(AugmentConfig(grayscale=1.0), images)
    assert (got == got[..., :1]).all()
    assert np.abs(got[..., 0] - images @ np.array([0.299, 0.587, 0.114])).max() < 0.51


def test_greys_stay_what_they_are_under_every_change_of_colours():
    greys = np.repeat(np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1), 3, axis=-1)
    for grayscale in (0.0, 0.9):
        draws = {"saturation": 0.9, "hue": 0.2, "grayscale": grayscale}
        np.testing.assert_array_equal(changed(STRONG, greys, **draws), greys)


def test_as_many_images_become_grey_as_asked():
    images = noise(2000, 1, 2, 3)
    seen = augment(AugmentConfig(grayscale=0.2), images)
    grey = (seen == seen[..., :1]).all(axis=(1, 2, 3))
    assert grey.mean() == pytest.approx(0.2, abs=0.03)
    np.testing.assert_array_equal(seen[~grey], images[~grey])
