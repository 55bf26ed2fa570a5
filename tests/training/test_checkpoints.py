"""Checkpoints that a run goes back to after damage, deletion or a partial write."""

import json
import shutil

import keras
import numpy as np
import pytest

from tests.helpers.small_runs import metrics, recalls, start
from triplet_train.config import ModelConfig, OptimizerConfig
from triplet_train.console import SILENT
from triplet_train.errors import RunError
from triplet_train.models.tower import build_tower
from triplet_train.run.folder import RunFolder
from triplet_train.training.checkpoints import Checkpoints
from triplet_train.training.log import RunLog
from triplet_train.training.optimizers import make_optimizer
from triplet_train.training.state import TrainingState
from triplet_train.training.tracking import Tracking


@pytest.fixture(scope="module")
def trained():
    """A tower and its optimizer."""
    keras.utils.set_random_seed(0)
    tower = build_tower(ModelConfig(filters=[2], embedding_dim=2), (4, 4, 1), "float32")
    optimizer = make_optimizer(OptimizerConfig(), 10, "float32")
    optimizer.build(tower.trainable_variables)
    return tower, optimizer


class Run:
    """A folder of checkpoints, to be saved, damaged and restored."""

    def __init__(self, folder, trained):
        self.run, self.trained, self.said = RunFolder(folder), trained, []
        self.checkpoints = Checkpoints(self.run, *trained, keep=2)

    def save(self, step, best=0, keep=2):
        self.checkpoints._keep = keep
        for weight in self.trained[0].weights:
            weight.assign(np.full(weight.shape, step))
        shutil.rmtree(self.run.checkpoint(step).path, ignore_errors=True)
        self.state = TrainingState(step, best, metrics(), getattr(self, "sha", None))
        self.checkpoints.save(self.state)
        self.sha = self.state.best_sha256

    def damage(self, *steps):
        for step in steps:
            (self.run.checkpoint(step).path / "embedder.keras").write_bytes(b"PK half")

    def restore(self, keep=2):
        self.said = []
        self.checkpoints = Checkpoints(self.run, *self.trained, keep)
        state = self.checkpoints.restore(self.said.append)
        self.checkpoints.repair_best(state)
        return state

    def on_disk(self):
        return sorted(int(path.name[5:]) for path in self.run.checkpoints.glob("step_*"))

    def tower(self, place):
        return keras.models.load_model(self.run.path / place / "embedder.keras").get_weights()


@pytest.fixture
def saved(tmp_path, trained):
    return Run(tmp_path, trained)


def test_damaged_checkpoints_do_not_count_among_those_kept(saved):
    for step in (10, 17, 18):
        saved.save(step, keep=3)
    saved.damage(17, 18)
    assert saved.restore().step == 10
    saved.save(20)
    assert saved.on_disk() == [10, 20]


@pytest.mark.parametrize("part", ["embedder.keras", "optimizer.npz", "state.json"])
def test_a_checkpoint_that_is_truncated_or_lacks_a_part_is_recognised(saved, part):
    for step in (10, 20):
        saved.save(step)
    file = saved.run.checkpoint(20).path / part
    whole = file.read_bytes()
    assert saved.restore().step == 20
    for share in (0, 0.4, 0.99):
        file.write_bytes(whole[: int(share * len(whole))])
        assert saved.restore().step == 10 and "step_00000020 is damaged" in saved.said[0]
    file.unlink()
    assert saved.restore().step == 10 and "step_00000020 is damaged" in saved.said[0]


def test_a_part_with_an_unknown_compression_counts_as_damage(saved):
    for step in (10, 20):
        saved.save(step)
    file = saved.run.checkpoint(20).path / "optimizer.npz"
    content = bytearray(file.read_bytes())
    content[content.index(b"PK\1\2") + 10] = 99  # Python raises NotImplementedError
    file.write_bytes(content)
    assert saved.restore().step == 10 and "step_00000020 is damaged" in saved.said[0]


def test_the_newest_good_checkpoint_is_one_that_was_read(saved):
    for step in (10, 20):
        saved.save(step)
    saved.damage(20)
    saved.restore()
    assert saved.checkpoints.newest().endswith("step_00000010")


@pytest.mark.parametrize(
    "lose", [Run.damage, lambda run, step: shutil.rmtree(run.run.checkpoint(step).path)]
)
def test_a_best_tower_that_is_lost_is_taken_back_from_its_copy(saved, lose):
    for step in (10, 20, 30):
        saved.save(step, best=10)
    lose(saved, 10)
    state = saved.restore()
    assert (state.step, state.best_step, state.best_metrics) == (30, 10, metrics())
    assert "step_00000010/embedder.keras" in saved.said[0] and "restored from" in saved.said[0]
    for place in ("", "checkpoints/best"):
        assert (saved.tower(place)[0] == 10).all()
    assert saved.restore().best_step == 10 and saved.said == []


def test_a_copy_of_another_tower_is_not_taken_for_the_best(saved):
    saved.save(10, best=10)
    saved.save(20, best=10)
    saved.save(30, best=30)  # 10 is deleted, and the copy is of 30
    saved.damage(30)
    state = saved.restore()
    assert (state.step, state.best_step, state.best_metrics) == (20, 20, None)
    assert "step_00000030 is damaged" in saved.said[0]
    assert "damaged or missing; the best is chosen again, from step 20" in saved.said[1]
    assert (saved.tower("")[0] == 20).all()


def test_a_log_without_a_checkpoint_is_never_started_again(saved):
    assert saved.restore() == TrainingState() and "starting at step 0" in saved.said[0]
    RunLog(saved.run, 0, 10, SILENT, Tracking())  # before anything is logged
    with pytest.raises(RunError, match="no readable checkpoint"):
        saved.restore()


def test_a_finished_training_whose_best_is_lost_is_not_evaluated_again(tmp_path, digits_config):
    config = digits_config(
        "batch.classes=4", "train.steps=4", "train.eval_every=2", "train.checkpoint_every=2"
    )
    start(config, tmp_path, evaluate=recalls(0.9, 0.2))
    log = (tmp_path / "metrics.jsonl").read_text()
    for tower in (tmp_path, tmp_path / "checkpoints/step_00000002"):
        (tower / "embedder.keras").write_bytes(b"PK half")
    _, state = start(config, tmp_path, resume=True, evaluate=None)
    assert (state.step, state.best_step) == (4, 4)
    assert (tmp_path / "metrics.jsonl").read_text() == log
    assert (tmp_path / "checkpoints/best").resolve().name == "step_00000004"


def test_the_rows_of_a_failed_batch_go_when_the_run_goes_on(tmp_path, digits_config):
    config = digits_config("batch.classes=4", "train.steps=2")
    start(config, tmp_path)
    (tmp_path / "failed_batch.json").write_text(json.dumps({"step": 2, "ids": []}))
    start(config, tmp_path, resume=True)
    assert not (tmp_path / "failed_batch.json").exists()
