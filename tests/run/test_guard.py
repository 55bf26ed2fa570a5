"""A request that would lose or mix up a run is refused before anything is written."""

import os

import pytest

from tests.helpers.commands import RESUME, RUN, changed, small_run
from triplet_train.cli.train import main as train
from triplet_train.config import load_config
from triplet_train.jobs import report

pytestmark = pytest.mark.usefixtures("without_pages")


def everything_below(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_a_run_and_a_user_s_files_in_its_folder_are_never_changed_without_being_asked(
    workplace, command, run_copy, monkeypatch
):
    before = everything_below(workplace)
    status, _, err = command(train, *RUN)
    assert status == 2 and "--resume" in err and "--overwrite" in err
    assert err.count("\n") == 1 and everything_below(workplace) == before
    status, out, _ = command(train, *RESUME)
    assert status == 0 and "finished" in out and everything_below(workplace) == before
    status, _, err = command(train, *RESUME, *changed("loss.margin=0.9"))
    assert status == 2 and "loss.margin: 0.3 -> 0.9" in err
    status, _, err = command(train, *RESUME, "--overwrite")
    assert status == 2 and everything_below(workplace) == before
    (run_copy / "notes.txt").write_text("mine")
    os.chdir(run_copy)
    titles = []
    monkeypatch.setattr(report, "write_page", lambda evaluated, file, title: titles.append(title))
    more = ["--run-dir", ".", "--overwrite", "--set", "train.steps=2"]
    assert command(train, "--config", "config.yaml", *more)[0] == 0
    assert load_config("config.yaml").train.steps == 2 and titles == ["run: test"]
    assert (run_copy / "notes.txt").read_text() == "mine"
    assert not (run_copy / "checkpoints/step_00000020").exists()


def test_a_folder_that_is_not_a_run_is_never_replaced(workplace, command, data_dir):
    (workplace / "thesis.txt").write_text("years of work")
    status, _, err = command(train, *small_run(data_dir, "--run-dir", ".", "--overwrite"))
    assert status == 2 and "is not empty and holds no run" in err
    assert [path.name for path in workplace.iterdir()] == ["thesis.txt"]


def test_a_configuration_of_another_result_is_refused_with_all_differences(
    workplace, command, run_copy
):
    (run_copy / "metrics.json").unlink()
    more = changed("train.keep=9", "seed=3", "augment.erase=0.1")
    status, _, err = command(train, *RESUME, *more)
    assert status == 2 and not (run_copy / "metrics.json").exists()
    assert "seed: 0 -> 3" in err and "train.keep: 3 -> 9  (may change)" in err
    assert "augment.erase: 0.0 -> 0.1\n" in err
