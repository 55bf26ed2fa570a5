import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.augmented import changed
from triplet_train.config import AugmentConfig

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
