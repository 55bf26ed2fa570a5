import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.helpers.augmented import augment, changed
from triplet_train.config import AugmentConfig

draw = st.floats(0, 1, exclude_max=True, width=32)


@settings(max_examples=50, deadline=None)
@example(1, 9, 0.99, 0.999, 0.5, 0.0, 0.0, 0.5)
@example(8, 8, 0.25, 0.0, 0.5, 0.0, 0.0, 0.5)
@given(st.integers(1, 9), st.integers(1, 9), st.floats(0.01, 0.99), *[draw] * 5)
def test_the_erased_part_is_a_rectangle_of_the_drawn_area_and_of_one_level(
    height, width, erase, share, aspect, left, top, level
):
    black_and_white = np.stack([np.zeros((height, width, 3)), np.full((height, width, 3), 255)])
    got = changed(
        AugmentConfig(erase=erase),
        black_and_white.astype(np.uint8),
        erase=share,
        erase_aspect=aspect,
        erase_left=left,
        erase_top=top,
        erase_level=level,
    )
    hidden = (got[0] == got[1]).all(axis=-1)  # seen in neither
    ys, xs = np.nonzero(hidden)
    assert (got[:, hidden] == int(level * 256)).all()
    area = erase * share * height * width
    assert hidden.sum() <= area + 1e-3
    if hidden.any():
        tall, wide = np.ptp(ys) + 1, np.ptp(xs) + 1
        assert hidden.sum() == tall * wide
        assert wide == width or hidden.sum() > area - tall - 1e-3
    else:
        assert area < max(1.0, round(math.sqrt(area / 0.3))) + 1e-3


def test_rectangles_lie_everywhere_and_reach_every_edge():
    images = np.zeros((500, 6, 7, 1), np.uint8)
    hidden = augment(AugmentConfig(erase=0.2), images) > 0
    times = hidden.sum(axis=0)[..., 0]
    assert times.min() > 5 and hidden.mean() == pytest.approx(0.1, abs=0.04)
