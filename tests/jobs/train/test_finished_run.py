"""A finished run that is given more to do, or has lost a part of its end."""

import json

import pytest

from tests.helpers.commands import RESUME, changed, small_run
from triplet_train.cli.train import main as train
from triplet_train.config import load_config
from triplet_train.embeddings.files import read_table
from triplet_train.jobs import report
from triplet_train.jobs.train.end import is_finished
from triplet_train.jobs.train.messages import nothing_to_resume
from triplet_train.run.folder import RunFolder
from triplet_train.run.request import TrainRequest

pytestmark = pytest.mark.usefixtures("without_pages")


@pytest.mark.slow
def test_a_finished_run_goes_on_when_it_is_given_more_steps(
    workplace, command, data_dir, finished_run
):
    constant = changed("optimizer.schedule=constant")
    whole = ["--run-dir", "whole", *constant, *changed("train.steps=30")]
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


def test_a_finished_run_exports_what_it_is_asked_for_later(workplace, command, run_copy):
    status, _, err = command(train, *RESUME, *changed("embeddings.splits=['train[:30]']"))
    assert status == 0 and "another embeddings.splits" in err and "step 20/20" not in err
    assert len(read_table(run_copy / "embeddings/train_-30.npz").ids) == 30


def test_a_finished_run_measures_what_it_is_asked_for_later(workplace, command, run_copy):
    status, out, err = command(train, *RESUME, *changed("evaluation.recall_at=[1, 7]"))
    assert status == 0 and "another evaluation.recall_at" in err and "step 20/20" not in err
    assert "recall_at_7" in out
    metrics = json.loads((run_copy / "metrics.json").read_text())
    assert "recall_at_7" in metrics and "recall_at_5" not in metrics
    refused = changed("evaluation.best_metric=map_at_r", "evaluation.precision_at=[3]")
    status, _, err = command(train, *RESUME, *refused)
    assert status == 2 and "evaluation.best_metric: 'recall_at_1' -> 'map_at_r'\n" in err
    assert "evaluation.precision_at: [5, 10] -> [3]  (may change)" in err


def test_a_run_that_ended_early_is_finished_until_it_is_given_more_patience(
    run_copy, digits_config
):
    file, text = run_copy / "metrics.json", "goes on"
    early = {"best_metric": "recall_at_1", "evaluations_without_improvement": 3}
    file.write_text(json.dumps(json.loads(file.read_text()) | {"ended_early": early}))
    for patience, finished in ((1, True), (3, True), (4, False), ("null", False)):
        config = digits_config("train.steps=60", f"train.patience={patience}")
        request = TrainRequest(config, RunFolder(run_copy))
        assert is_finished(request) == finished
    text = nothing_to_resume(request)
    assert "it ended early at step 20" in text and "train.patience of more than 3" in text


@pytest.mark.slow
def test_a_run_without_a_better_evaluation_ends_early_and_says_so_everywhere(
    workplace, command, data_dir
):
    never = ["optimizer.learning_rate=1e-9", "train.eval_every=2", "train.patience=2"]
    status, out, err = command(train, *small_run(data_dir, *changed(*never)))
    assert status == 0 and "its learning rate then has not come down to 0" in err
    line = "ended early, at step 6 of 20: 2 evaluations in a row without a better recall_at_1; the"
    assert line in out and "the best of the run by recall_at_1" in out
    run = workplace / "runs/digits_semihard"
    metrics = json.loads((run / "metrics.json").read_text())
    assert (metrics["step"], metrics["steps"]) == (2, 6)
    assert metrics["ended_early"]["evaluations_without_improvement"] == 2
    again = [*small_run(data_dir), "--resume"]
    status, out, _ = command(train, *again, *changed(*never))
    assert status == 0 and "nothing to resume: it ended early at step 6" in out
    status, out, _ = command(train, *again, *changed(*never, "train.patience=null"))
    metrics = json.loads((run / "metrics.json").read_text())
    assert status == 0 and metrics["steps"] == 20 and "ended_early" not in metrics


def test_a_page_that_was_not_drawn_to_its_end_is_drawn_when_the_run_is_resumed(
    workplace, command, run_copy, monkeypatch
):
    request = [*RESUME, *changed("embeddings.splits=['train[:30]']")]

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(report, "write_page", interrupted)
        assert command(train, *request)[0] == 130
    assert not (run_copy / "report.html").exists()
    status, out, _ = command(train, *request)
    assert status == 0 and "nothing to resume" not in out
    assert (run_copy / "report.html").exists()


def test_damaged_metrics_of_a_finished_run_are_computed_again(
    workplace, command, finished_run, run_copy
):
    metrics = run_copy / "metrics.json"
    finished = TrainRequest(load_config("run/config.yaml"), RunFolder(run_copy))
    for damage in ("[]", '{"steps": 20, "splits": 3}'):
        metrics.write_text(damage)
        assert not is_finished(finished)
    metrics.write_text("{")
    assert command(train, *RESUME)[0] == 0
    assert metrics.read_bytes() == (finished_run / "metrics.json").read_bytes()
