"""A dry run describes the run and writes nothing but the preview."""

import numpy as np
import pytest
import tensorflow as tf
import yaml
from PIL import Image

from tests.helpers.commands import changed, small_run
from tests.helpers.networks import application
from triplet_train.cli.train import main as train
from triplet_train.data.batches import make_batches
from triplet_train.data.source import open_source
from triplet_train.errors import RequestError
from triplet_train.jobs.train import dry_run
from triplet_train.training.augmentation import make_augmentation
from triplet_train.training.randomness import step_key

PREVIEW = ["--dry-run", "--preview", "sheet.png"]
AUGMENT = "augment={rotate: 30, erase: 0.3}"


def test_a_dry_run_describes_the_run_and_writes_nothing(workplace, command):
    sets = workplace / "sets"
    status, out, err = command(train, *small_run(sets, "--dry-run"))
    assert (status, err) == (0, "")
    assert yaml.safe_load(out)["train"]["steps"] == 20
    for fact in (
        "1,145 images",
        "202 images",
        "450 images",
        "10 classes",
        "steps      20",
        "parameters",
        "augment    nothing",
        "best step  by recall_at_1 of train[85%:], every 10 steps\n# tower",
    ):
        assert fact in out
    assert not any(workplace.iterdir())


def test_a_dry_run_shows_progress_unless_it_is_to_be_quiet(
    workplace, command, data_dir, monkeypatch
):
    asked = []

    def opened(data, console, write):
        asked.append(console.quiet)
        raise RequestError("enough")

    monkeypatch.setattr(dry_run, "open_source", opened)
    for more in ([], ["--quiet"]):
        assert command(train, *small_run(data_dir, "--dry-run", *more))[0] == 2
    assert asked == [False, True]


def test_a_dry_run_says_what_an_early_end_means_for_the_learning_rate(data_dir, command):
    for schedule in ("cosine", "constant"):
        more = changed("train.patience=4", f"optimizer.schedule={schedule}")
        status, out, _ = command(train, *small_run(data_dir, "--dry-run", *more))
        assert status == 0 and "early after 4 evaluations in a row without a better" in out
        assert ("the cosine schedule reaches at step 20\n" in out) == (schedule == "cosine")


def test_a_dry_run_says_what_batches_do_with_the_classes_and_which_images_are_shared(
    data_dir, command
):
    more = changed("batch={sampling: classes, per_class: 150}", "data.eval_split=train[:20]")
    status, out, _ = command(train, *small_run(data_dir, "--dry-run", *more))
    assert status == 0 and "of each, every class equally often\n" in out
    assert "# " + " " * 11 + "20 of the 20 images of train[:20] are also training images" in out
    assert "fewer than batch.per_class = 150 images, which are repeated within a batch: 0, 1" in out


def test_a_preview_shows_the_images_that_the_first_step_gives_to_the_tower(
    workplace, command, data_dir, digits_config
):
    status, out, _ = command(train, *small_run(data_dir, *changed(AUGMENT), *PREVIEW))
    assert status == 0 and "augment    rotate 30.0, erase 0.3\n" in out and "sheet.png" in out
    assert [path.name for path in workplace.iterdir()] == ["sheet.png"]
    config = digits_config(AUGMENT)
    images = open_source(config.data).table(config.data.train_split)
    rows = make_batches(config, images.labels).rows(0)
    augment = make_augmentation(config.augment)
    key = step_key(config.seed, tf.constant(0))
    given = augment(tf.constant(images.read(rows)), key, tf.range(40), 40).numpy()
    sheet = np.asarray(Image.open("sheet.png").convert("L"))
    for number, image in enumerate(given):  # eight times as large, from the right
        top, right = number // 4 * 66, sheet.shape[1] - 2 - (3 - number % 4) * 66
        shown = sheet[top : top + 64, right - 64 : right]
        np.testing.assert_array_equal(shown, image[..., 0].repeat(8, 0).repeat(8, 1))


def test_a_preview_is_replaced_only_with_overwrite(workplace, command, data_dir):
    (workplace / "sheet.png").write_text("mine")
    status, _, err = command(train, *small_run(data_dir, *PREVIEW))
    assert status == 2 and "sheet.png exists" in err
    assert (workplace / "sheet.png").read_text() == "mine"
    assert command(train, *small_run(data_dir, *PREVIEW, "--overwrite"))[0] == 0
    assert Image.open("sheet.png").size > (4 * 64, 10 * 64)


def test_a_preview_of_a_set_that_is_not_on_disk_is_refused(workplace, command):
    request = [*changed("data.dataset=mnist"), *PREVIEW]
    status, _, err = command(train, *small_run(workplace / "sets", *request))
    assert status == 2 and "--preview needs the images of mnist/3.0.1" in err
    assert not any(workplace.iterdir())


@pytest.mark.slow
def test_a_dry_run_counts_the_trained_parameters_of_a_tower_with_a_frozen_backbone(
    workplace, command
):
    application("MobileNet", channels=1).save_weights("some.weights.h5")
    model = "model={tower: MobileNet, weights: some.weights.h5, freeze_backbone: true}"
    more = [*changed(model, "data.image_size=[32,32]"), "--dry-run"]
    status, out, err = command(train, *small_run(workplace / "sets", *more))
    assert (status, err) == (0, "")
    assert "tower      MobileNet: 32 x 32 x 1 -> 64, 3,293,888 parameters, 65,600 trained, " in out
