import numpy as np
import pytest

from tests.helpers.tables import table
from triplet_train.console import SILENT
from triplet_train.data.batches import PKBatches, make_batches
from triplet_train.data.source import open_source
from triplet_train.errors import RequestError
from triplet_train.jobs.run_text import opening
from triplet_train.jobs.train import run
from triplet_train.run.folder import RunFolder
from triplet_train.training.devices import Devices, choose_devices


def test_classes_that_are_left_out_or_repeat_are_named_before_training(digits_config):
    labels = np.array([0, 1, 1, 1, 2, 2, 2, 2, 2])
    ids = [str(row) for row in range(len(labels))]
    names = {0: "heron", 1: "stork", 2: "crane"}
    images = table(np.zeros((9, 1, 1, 1), np.uint8), labels, ids, names)
    batches = PKBatches(labels, classes=2, per_class=4, seed=0)
    held_out = table(np.zeros((2, 1, 1, 1), np.uint8), labels[:2], ["a", "b"], names)
    config = digits_config("batch.classes=2")
    lines = list(opening(config, images, held_out, batches, choose_devices(config), {}))
    assert len(lines) == 3 and "9 images, batches of 2 x 4" in lines[0]
    assert "left out" in lines[1] and lines[1].endswith(": heron")
    assert "repeat" in lines[2] and lines[2].endswith(": stork")


def test_images_that_are_trained_and_judged_on_are_named(digits_config):
    config = digits_config("data.eval_split=train[:100]")
    source = open_source(config.data)
    images, held_out = (source.table(s) for s in (config.data.train_split, config.data.eval_split))
    batches = make_batches(config, images.labels)
    lines = list(opening(config, images, held_out, batches, choose_devices(config), {}))
    assert any(
        line.startswith("warning: 100 of the 100 images of train[:100] are trained on too")
        for line in lines
    )


def test_workers_with_other_images_are_refused(tmp_path, monkeypatch, digits_config):
    monkeypatch.setattr(Devices, "same_everywhere", lambda self, number: False)
    with pytest.raises(RequestError, match=r"another worker has other images .*train_split"):
        run(digits_config(), RunFolder(tmp_path / "run"), SILENT)
    assert not (tmp_path / "run").exists()


def test_an_export_that_cannot_be_is_refused_before_training(tmp_path, digits_config):
    config = digits_config("data.eval_classes=[8, 9]", "embeddings.splits=['test[:5]']")
    with pytest.raises(RequestError, match=r"no image of test\[:5\] is of such a class"):
        run(config, RunFolder(tmp_path / "run"), SILENT)
    assert not (tmp_path / "run").exists()
