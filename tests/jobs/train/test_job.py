"""A run that is refused leaves no folder."""

import pytest

from triplet_train.console import SILENT
from triplet_train.errors import RequestError
from triplet_train.jobs.train.dry_run import dry_run
from triplet_train.jobs.train.job import run
from triplet_train.run.folder import RunFolder
from triplet_train.run.request import TrainRequest
from triplet_train.training.devices import Devices


def test_workers_with_other_images_are_refused(tmp_path, monkeypatch, digits_config):
    monkeypatch.setattr(Devices, "same_everywhere", lambda self, number: False)
    with pytest.raises(RequestError, match=r"another worker has other images .*train_split"):
        run(TrainRequest(digits_config(), RunFolder(tmp_path / "run")), SILENT)
    assert not (tmp_path / "run").exists()


def test_an_export_that_cannot_be_is_refused_before_training(tmp_path, digits_config):
    config = digits_config("data.eval_classes=[8, 9]", "embeddings.splits=['test[:5]']")
    with pytest.raises(RequestError, match=r"test\[:5\] has no image of these classes"):
        run(TrainRequest(config, RunFolder(tmp_path / "run")), SILENT)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("start", ["run", "dry run"])
def test_changes_of_colour_of_a_grey_data_set_are_refused(tmp_path, digits_config, start):
    config = digits_config("augment={saturation: 0.5, hue: 0.1}")
    with pytest.raises(RequestError, match=r"saturation and hue .* digits.* are grey; remove"):
        if start == "run":
            run(TrainRequest(config, RunFolder(tmp_path / "run")), SILENT)
        else:
            dry_run(config, SILENT)
    assert not (tmp_path / "run").exists()
