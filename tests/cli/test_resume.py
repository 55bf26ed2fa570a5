"""triplet-train in a folder that holds a run: refused, resumed or replaced."""

import json
import os
import shutil
import signal

import pytest

from tests.helpers.commands import small_run
from tests.helpers.run_contents import contents
from triplet_train.cli.train import main as train
from triplet_train.config import load_config
from triplet_train.embeddings.files import read_table
from triplet_train.jobs import report
from triplet_train.jobs.train.end import is_finished
from triplet_train.run.folder import RunFolder
from triplet_train.run.request import Request

pytestmark = pytest.mark.usefixtures("no_pictures")


def everything_below(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_a_run_is_never_touched_unasked_nor_what_the_user_put_into_its_folder(
    workplace, command, finished_run, monkeypatch
):
    shutil.copytree(finished_run, workplace / "run", symlinks=True)
    before = everything_below(workplace)
    request = ["--config", "run/config.yaml", "--run-dir", "run"]
    status, _, err = command(train, *request)
    assert status == 2 and "--resume" in err and "--overwrite" in err
    assert err.count("\n") == 1 and everything_below(workplace) == before
    status, out, _ = command(train, *request, "--resume")
    assert status == 0 and "finished" in out and everything_below(workplace) == before
    status, _, err = command(train, *request, "--resume", "--set", "loss.margin=0.9")
    assert status == 2 and "loss.margin: 0.3 -> 0.9" in err
    status, _, err = command(train, *request, "--resume", "--overwrite")
    assert status == 2 and everything_below(workplace) == before
    (workplace / "run/notes.txt").write_text("mine")
    os.chdir(workplace / "run")
    titles = []
    monkeypatch.setattr(report, "write_page", lambda evaluated, file, title: titles.append(title))
    more = ["--run-dir", ".", "--overwrite", "--set", "train.steps=2"]
    assert command(train, "--config", "config.yaml", *more)[0] == 0
    assert load_config("config.yaml").train.steps == 2 and titles == ["run: test"]
    assert (workplace / "run/notes.txt").read_text() == "mine"
    assert not (workplace / "run/checkpoints/step_00000020").exists()


def test_a_signal_to_stop_saves_the_step_and_resume_goes_on(
    workplace, command, data_dir, monkeypatch
):
    from triplet_train.training import log, loop

    judge = loop._evaluate
    request = small_run(data_dir, "--set", "train.eval_every=5")
    for number, ends_with, step, more in (
        (signal.SIGINT, 130, 6, []),
        (signal.SIGHUP, 129, 11, ["--resume"]),
    ):

        def send_signal(*arguments, number=number):
            signal.raise_signal(number)
            return judge(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(loop, "_evaluate", send_signal)
            status, _, err = command(train, *request, *more)
        assert status == ends_with and f"stopped at step {step} of 20" in err and "--resume" in err
    with monkeypatch.context() as patch:  # the reader of what is said is gone
        patch.setattr(
            log.RunLog, "say", lambda self, line: vars(self).update(unheard=signal.SIGPIPE)
        )
        assert command(train, *request, "--resume")[0] == 128 + signal.SIGPIPE
    assert (workplace / "runs/digits_semihard/checkpoints/step_00000012").is_dir()
    status, _, err = command(train, *request, "--resume", "--set", "train.steps=11")
    assert status == 2 and "train.steps: 20 -> 11" in err
    status, out, err = command(train, *request, "--resume", "--set", "train.steps=14")
    assert status == 0 and "recall@1" in out and "another train.steps: 20 -> 14" in err
    assert "warning: the learning rate" in err  # of a cosine schedule


def test_two_slices_of_a_split_are_exported_to_two_files_and_a_lone_row_without_figures(
    workplace, command, finished_run
):
    folder = workplace / "run"
    shutil.copytree(finished_run, folder, symlinks=True)
    shutil.rmtree(folder / "embeddings")
    splits = "embeddings.splits=['test[:90%]', 'test[90%:]', 'train[:1]']"
    more = ["--set", splits, "--set", "embeddings.formats=[npz]", "--resume"]
    request = ["--config", "run/config.yaml", "--run-dir", "run", *more]
    status, out, _ = command(train, *request)
    assert status == 0 and "train[:1]: no metrics, since no two images share a class" in out
    rows = {path.name: len(read_table(path).ids) for path in (folder / "embeddings").iterdir()}
    assert rows == {"test_-90%.npz": 405, "test_90%-.npz": 45, "train_-1.npz": 1}
    figures = json.loads((folder / "metrics.json").read_text())
    assert figures["recall_at_1"] == figures["splits"]["test[:90%]"]["recall_at_1"]
    assert figures["splits"]["train[:1]"] == {}


def resume_copy_of(finished_run, workplace, command, damage, *more):
    """Exit status, stderr and folder of a copy of the run that was damaged before its end."""
    shutil.copytree(finished_run, workplace / "run", symlinks=True)
    (workplace / "run/metrics.json").unlink()
    damage(workplace / "run/checkpoints")
    request = ["--config", "run/config.yaml", "--run-dir", "run", "--resume", *more]
    status, _, err = command(train, *request)
    return status, err, workplace / "run"


def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(workplace, command, finished_run):
    def damage(folder):  # of each of its parts: tests/training/test_checkpoints.py
        (folder / "step_00000020/embedder.keras").write_bytes(b"PK half")

    status, err, run = resume_copy_of(finished_run, workplace, command, damage)
    assert status == 0 and "Traceback" not in err
    assert "step_00000020 is damaged" in err
    assert "resuming from run/checkpoints/step_00000010" in err
    assert contents(run) == contents(finished_run)
    environment = json.loads((run / "environment.json").read_text())
    begun = json.loads((finished_run / "environment.json").read_text())
    (resumed,) = environment.pop("resumed")
    assert environment == begun and resumed.keys() == begun.keys() - {"rows_sha256", "classes"}


@pytest.mark.slow
def test_a_checkpoint_that_is_gone_is_done_again(workplace, command, finished_run):
    status, err, run = resume_copy_of(
        finished_run, workplace, command, lambda folder: shutil.rmtree(folder / "step_00000020")
    )
    assert status == 0 and "resuming from run/checkpoints/step_00000010" in err
    assert contents(run) == contents(finished_run)


def test_no_checkpoint_that_can_be_read_is_an_error(workplace, command, finished_run):
    status, err, run = resume_copy_of(finished_run, workplace, command, shutil.rmtree)
    assert status == 1 and "run holds no readable checkpoint" in err
    assert not (run / "checkpoints").exists()


def test_a_best_checkpoint_that_is_damaged_is_said_and_chosen_anew(
    workplace, command, finished_run
):
    def damage(folder):
        state = folder / "step_00000020/state.json"
        other = {"best_step": 10, "best_sha256": "of a tower that is lost"}
        state.write_text(json.dumps(json.loads(state.read_text()) | other))
        (folder / "step_00000010/embedder.keras").write_bytes(b"PK half")

    status, err, run = resume_copy_of(finished_run, workplace, command, damage)
    assert status == 0 and "step_00000010/embedder.keras, the best so far, is damaged" in err
    assert json.loads((run / "metrics.json").read_text())["step"] == 20


@pytest.mark.slow
def test_a_finished_run_goes_on_when_it_is_given_more_steps(
    workplace, command, data_dir, finished_run
):
    constant = ["--set", "optimizer.schedule=constant"]
    whole = ["--run-dir", "whole", "--set", "train.steps=30", *constant]
    assert command(train, *small_run(data_dir, *whole))[0] == 0
    assert command(train, *small_run(data_dir, "--run-dir", "run", *constant))[0] == 0
    more = ["--run-dir", "run", "--resume", *constant, "--set"]
    status, _, err = command(train, *small_run(data_dir, *more, "train.steps=10"))
    assert status == 2 and "train.steps: 20 -> 10" in err
    status, _, err = command(train, *small_run(data_dir, *more, "train.steps=30"))
    assert status == 0 and "another train.steps: 20 -> 30" in err and "warning" not in err
    tables = [read_table(workplace / name / "embeddings/test.npz") for name in ("run", "whole")]
    assert (tables[0].embeddings == tables[1].embeddings).all()
    assert load_config("run/config.yaml").train.steps == 30
    status, out, _ = command(train, *small_run(data_dir, *more, "train.steps=30"))
    assert status == 0 and "finished" in out


def test_a_finished_run_exports_what_it_is_asked_for_later(workplace, command, finished_run):
    shutil.copytree(finished_run, workplace / "run", symlinks=True)
    request = ["--config", "run/config.yaml", "--run-dir", "run", "--resume"]
    status, _, err = command(train, *request, "--set", "embeddings.splits=['train[:30]']")
    assert status == 0 and "another embeddings.splits" in err and "step 20/20" not in err
    assert len(read_table(workplace / "run/embeddings/train_-30.npz").ids) == 30


def test_a_page_that_was_not_drawn_to_its_end_is_drawn_when_the_run_is_resumed(
    workplace, command, finished_run, monkeypatch
):
    shutil.copytree(finished_run, workplace / "run", symlinks=True)
    request = ["--config", "run/config.yaml", "--run-dir", "run", "--resume"]
    request += ["--set", "embeddings.splits=['train[:30]']"]

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(report, "write_page", interrupted)
        assert command(train, *request)[0] == 130
    assert not (workplace / "run/report.html").exists()
    status, out, _ = command(train, *request)
    assert status == 0 and "nothing to resume" not in out
    assert (workplace / "run/report.html").exists()


def test_damaged_figures_of_a_finished_run_are_made_anew(workplace, command, finished_run):
    shutil.copytree(finished_run, workplace / "run", symlinks=True)
    figures = workplace / "run/metrics.json"
    finished = Request(load_config("run/config.yaml"), RunFolder(workplace / "run"))
    for damage in ("[]", '{"steps": 20, "splits": 3}'):
        figures.write_text(damage)
        assert not is_finished(finished)
    figures.write_text("{")
    request = ["--config", "run/config.yaml", "--run-dir", "run", "--resume"]
    assert command(train, *request)[0] == 0
    assert figures.read_bytes() == (finished_run / "metrics.json").read_bytes()


def test_a_configuration_of_another_result_is_refused_with_all_differences(
    workplace, command, finished_run
):
    more = [
        part for key in ("train.keep=9", "seed=3", "augment.erase=0.1") for part in ("--set", key)
    ]
    status, err, run = resume_copy_of(finished_run, workplace, command, lambda _: None, *more)
    assert status == 2 and not (run / "metrics.json").exists()
    assert "seed: 0 -> 3" in err and "train.keep: 3 -> 9  (this key may change)" in err
    assert "augment.erase: 0.0 -> 0.1\n" in err


def test_a_run_killed_before_it_pointed_to_its_best_checkpoint_heals_when_resumed(
    workplace, command, finished_run
):
    shutil.copytree(finished_run, workplace / "run", symlinks=True)
    for name in ("metrics.json", "embedder.keras", "checkpoints/best"):
        (workplace / "run" / name).unlink()
    request = ["--config", "run/config.yaml", "--run-dir", "run", "--resume"]
    assert command(train, *request)[0] == 0
    for name in ("metrics.json", "embedder.keras"):
        assert (workplace / "run" / name).read_bytes() == (finished_run / name).read_bytes()
