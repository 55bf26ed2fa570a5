"""Sets of odd images: training goes on, or says why not."""

import numpy as np
import pytest

from tests.helpers.small_runs import LABELS, PIXELS, start
from tests.helpers.tables import table
from triplet_train.errors import RunError

COLOUR = np.full_like(PIXELS, 7).astype(np.uint8)
ONE_BLACK = np.where(np.arange(60)[:, None, None, None] == 3, 0, PIXELS).astype(np.uint8)


@pytest.mark.parametrize("pixels", [COLOUR, ONE_BLACK], ids=["of one colour", "one black image"])
def test_training_goes_on(tmp_path, digits_config, pixels):
    start(digits_config("batch.classes=3", "train.steps=3"), tmp_path, images=table(pixels, LABELS))


def test_a_set_of_black_images_is_said_to_train_nothing(tmp_path, digits_config):
    config = digits_config("batch.classes=3", "train.steps=3")
    with pytest.raises(RunError, match="All gradients were 0, as when all images have the same"):
        start(config, tmp_path, images=table(np.zeros_like(COLOUR), LABELS))
