"""Runs that start from the tower of an earlier run."""

import hashlib
import json
import re
import shutil

import keras
import numpy as np
import pytest

from tests.helpers.commands import changed, small_run
from triplet_train.cli.train import main as train

pytestmark = pytest.mark.usefixtures("without_pages")
INIT = changed("model.init=run")
OTHER = changed("data.eval_classes=[8, 9]", "batch.classes=4", "loss.strategy=hard")


def weights(checkpoint):
    return keras.models.load_model(checkpoint / "embedder.keras").get_weights()


@pytest.mark.slow
def test_a_run_goes_on_from_an_earlier_tower_with_other_classes_and_does_not_need_it_to_resume(
    workplace, command, data_dir, run_copy
):
    more = changed("optimizer.schedule=constant", "train.steps=2", "train.keep=9")
    request = small_run(data_dir, *INIT, *OTHER, *more, "--run-dir", "child")
    status, _, err = command(train, *request)
    assert status == 0 and "starting from " in err and "begins anew" not in err
    child = workplace / "child"
    for a, b in zip(weights(child / "checkpoints/step_00000000"), weights(run_copy), strict=True):
        np.testing.assert_array_equal(a, b)
    environment = json.loads((child / "environment.json").read_text())
    parent = (run_copy / "embedder.keras").read_bytes()
    digests = {"model.init": hashlib.sha256(parent).hexdigest()}
    assert environment["pretrained_sha256"] == digests
    assert f"init: {run_copy}\n" in (child / "config.yaml").read_text()
    shutil.rmtree(run_copy)
    status, _, err = command(train, *request, "--resume", *changed("train.steps=3"))
    assert status == 0 and "step_00000002" in err and "starting from" not in err
    assert json.loads((child / "environment.json").read_text())["pretrained_sha256"] == digests


def test_a_dry_run_names_the_tower_and_what_differs(workplace, command, data_dir, run_copy):
    images, head = "data.image_size=[12,10]", "model.embedding_dim=5"
    more = changed(images, head, "model.dropout=0.2")
    status, out, _ = command(train, *small_run(data_dir, *INIT, *more, "--dry-run"))
    sha256 = hashlib.sha256((run_copy / "embedder.keras").read_bytes()).hexdigest()
    assert status == 0 and f"init       {run_copy}/embedder.keras, SHA-256 {sha256[:12]}\n" in out
    for line in (
        "model.embedding_dim: 16 -> 5",
        "model.dropout: 0.0 -> 0.2",
        "images: 8 x 8 x 1 -> 12 x 10 x 1",
        "the dense layer begins anew: 128 x 16 -> 240 x 5",
    ):
        assert f"#            {line}\n" in out


@pytest.mark.parametrize(
    "more, message",
    [
        (["model.init=nowhere"], "model.init: no checkpoint at .*nowhere"),
        (["model.init=."], "model.init: .* is not a checkpoint"),
        (["model.filters=[4]"], r"has another network, .*; set model.filters: \[8\]"),
        (["data.channels=3"], "does not fit the network .* set data.channels: 1"),
        (["model.init=other.keras"], "does not fit .* has 0 arrays before its dense layer, not 2"),
        (["model={tower: MobileNet, weights: a.h5, init: run}"], "set model.weights to null"),
    ],
)
def test_a_tower_that_does_not_fit_is_refused_before_anything_is_written(
    workplace, command, data_dir, run_copy, more, message
):
    images = keras.Input((8, 8, 1), dtype="uint8")
    vectors = keras.layers.Dense(2)(keras.layers.Flatten()(images))
    keras.Model(images, vectors).save("other.keras")
    status, _, err = command(train, *small_run(data_dir, *INIT, *changed(*more)), "--dry-run")
    assert status == 2
    assert re.search(message, err.replace("\n", " ")), err
    assert not (workplace / "runs").exists()
