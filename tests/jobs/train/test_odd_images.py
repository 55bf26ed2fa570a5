"""Images without content in training, and the background of a run."""

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.helpers.commands import changed, write_configuration
from tests.helpers.made_sets import make_folder
from triplet_train.cli.train import main as train

pytestmark = pytest.mark.usefixtures("without_pages")
PATHS = [f"photos/{number % 5}/{number}.png" for number in range(30)]
REQUEST = ["--config", "photos.yaml", "--run-dir", "run", "--quiet"]


@pytest.fixture
def folder(workplace):
    """Five classes of six images, and a configuration."""
    write_configuration(
        "photos",
        dataset="image_folder",
        path="photos",
        train_split="70%",
        eval_split="-30%",
        image_size=[8, 8],
    )
    return make_folder(workplace, PATHS)


def blacken(folder, paths, size):
    for path in paths:
        Image.fromarray(np.zeros(size, np.uint8)).save(folder / path)


def test_a_set_whose_images_are_all_equal_ends_with_the_reason(folder, command):
    blacken(folder, PATHS, (8, 8))
    status, _, err = command(train, *REQUEST)
    assert status == 1 and "when all images have the same vector" in err


def test_training_goes_on_with_black_images_of_one_pixel_among_others(folder, command):
    blacken(folder, PATHS[::5], (1, 1))  # a whole class
    status, _, err = command(train, *REQUEST)
    assert (status, err) == (0, "")
    assert "NaN" not in (folder / "run/metrics.json").read_text()


def test_a_run_keeps_its_background_and_one_begun_before_the_key_existed_goes_on(folder, command):
    assert command(train, *REQUEST)[0] == 0
    config = folder / "run/config.yaml"
    keys = yaml.safe_load(config.read_text())
    assert keys["data"].pop("background") == [255, 255, 255]
    black = changed("data.background=black", "train.steps=10")
    status, _, err = command(train, *REQUEST, *black, "--resume")
    assert status == 2 and "data.background: [255, 255, 255] -> [0, 0, 0]" in err
    config.write_text(yaml.safe_dump(keys))
    assert command(train, *REQUEST, *changed("train.steps=10"), "--resume")[0] == 0
