"""Runs that start from a saved network."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

from tests.helpers.commands import changed, small_run
from tests.helpers.run_contents import contents
from triplet_train.cli.train import main as train
from triplet_train.files import sha256

pytestmark = pytest.mark.usefixtures("without_pages")
MODEL = "model={tower: keras, backbone: net.keras, embedding_dim: 16}"


def save_network(file="net.keras", bias=0.0):
    """A network for the images of `digits`, with batch normalisation."""
    layers = keras.layers
    keras.utils.set_random_seed(0)
    keras.Sequential(
        [
            keras.Input((None, None, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(8, 3, bias_initializer=keras.initializers.Constant(bias)),
            layers.BatchNormalization(),
            layers.ReLU(),
        ]
    ).save(file)


def request(data_dir, *more):
    return small_run(data_dir, *changed(MODEL, "optimizer.schedule=constant", *more))


def test_a_dry_run_says_what_the_network_expects(workplace, command, data_dir):
    save_network()
    status, out, err = command(train, *request(data_dir), "--dry-run")
    assert (status, err) == (0, "")
    assert (
        f"# backbone   {workplace}/net.keras takes pixels in 0-255, any size, channels: 1\n" in out
    )
    assert "tower      keras: 8 x 8 x 1 -> 16, 256 parameters, batch statistics at rest\n" in out


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["gone", "changed"])
@pytest.mark.parametrize("more", [[], ["train.microbatch=10"], ["train.precision=mixed_bfloat16"]])
def test_a_run_is_resumed_exactly_without_the_file_of_its_backbone(
    workplace, command, data_dir, lost, more
):
    save_network()
    digest = sha256(workplace / "net.keras")
    for name, steps in (("whole", [20]), ("parts", [10, 20])):
        for number in steps:
            options = ["--run-dir", name, *["--resume"] * (number == 20 and len(steps) > 1)]
            status, _, err = command(
                train, *request(data_dir, *more, f"train.steps={number}"), *options
            )
            assert status == 0, err
            assert ("net.keras takes pixels in 0-255" in err) == (number == steps[0])
            if number == 10:
                (workplace / "net.keras").unlink()
                if lost == "changed":
                    keras.Sequential([keras.Input((8, 8, 1))]).save("net.keras")
    whole, parts = (contents(workplace / name) for name in ("whole", "parts"))
    assert whole["step_00000020"] == parts["step_00000020"]
    recorded = json.loads((workplace / "parts/environment.json").read_text())
    assert recorded["pretrained_sha256"] == {"model.backbone": digest}
    assert whole["embeddings"] == parts["embeddings"]


def test_a_network_that_is_no_backbone_is_refused_before_tensorflow_is_asked(
    workplace, command, data_dir
):
    keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()]).save("net.keras")
    status, _, err = command(train, *request(data_dir))
    assert status == 2 and "Set model.input_range" in err
    (workplace / "net.keras").unlink()
    status, _, err = command(train, *request(data_dir))
    assert status == 2 and f"model.backbone: no file {workplace}/net.keras" in err
    assert not any(workplace.iterdir())


def folder_of_images(folder, black):
    """Noise in two classes, with some black images in the first."""
    random = np.random.default_rng(0)
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for number in range(8):
            noise = random.integers(0, 256, (8, 8), np.uint8) * (name == "b" or number >= black)
            Image.fromarray(noise.astype(np.uint8)).save(folder / name / f"{number}.png")


FOLDER = [
    "data={dataset: image_folder, path: images, eval_split: train, channels: 1, image_size: [8, 8]}"
]
BATCH = "batch={classes: 2, per_class: 8}"


@pytest.mark.parametrize("black", [pytest.param(1, marks=pytest.mark.slow), 4])
def test_black_images_do_not_end_a_run_and_many_zero_features_are_warned_of(
    workplace, command, data_dir, black
):
    folder_of_images(workplace / "images/train", black)
    save_network(bias=-1e-3)  # black images have features of zero
    more = changed(*FOLDER, BATCH, MODEL, "embeddings={}", "train.steps=4", "train.eval_every=4")
    status, _, err = command(train, *small_run(data_dir)[:2], *more)
    assert status == 0, err
    warned = "4 of the 16 images of the first batch have features that are all 0" in err
    assert warned == (black == 4)
    assert ("a larger data.image_size" in err) == warned
