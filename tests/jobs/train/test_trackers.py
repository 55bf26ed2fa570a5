"""Runs with trackers: the same results, told to all of them."""

import json
import signal

import pytest

from tests.helpers.commands import changed, small_run
from tests.helpers.run_contents import contents
from tests.helpers.stub_trackers import StubTracker, put_in_place
from triplet_train.cli.train import main as train
from triplet_train.console import Console
from triplet_train.jobs.train.job import run
from triplet_train.run.folder import RunFolder
from triplet_train.run.request import TrainRequest
from triplet_train.training import loop

pytestmark = pytest.mark.usefixtures("without_pages")
BOTH = changed("train.trackers=[mlflow, wandb]", "train.log_every=5")
FILES = [
    *("config.yaml", "environment.json", "metrics.jsonl", "metrics.json", "report.html"),
    "embedder.keras",
]


def test_a_run_with_trackers_has_the_bits_of_one_without_and_tells_them_what_it_logs(
    tmp_path, digits_config, finished_run, monkeypatch
):
    tracker, said = StubTracker(), []
    put_in_place(monkeypatch, mlflow=tracker, wandb=StubTracker(fails="metrics"))
    config = digits_config("train.trackers=[mlflow, wandb]")
    run(TrainRequest(config, RunFolder(tmp_path / "run")), Console(write=said.append))
    assert contents(tmp_path / "run") == contents(finished_run)
    assert sum("wandb failed" in line for line in said) == 1
    logged = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").open()]
    final = json.loads((tmp_path / "run/metrics.json").read_text())["splits"]
    floats = [
        ("metrics", line["step"], {k: v for k, v in line.items() if isinstance(v, float)})
        for line in logged
    ]
    *metrics, result = [call for call in tracker.calls if call[0] == "metrics"]
    assert metrics == floats
    assert result[1] == 20 and result[2]["test/recall_at_1"] == final["test"]["recall_at_1"]
    assert [call[1] for call in tracker.calls if call[0] == "file"] == FILES
    assert tracker.calls[-1] == ("end", "finished")


@pytest.mark.slow
def test_a_run_that_is_stopped_and_resumed_is_one_run_of_mlflow_and_of_wandb(
    workplace, local_trackers, command, data_dir, finished_run, monkeypatch
):
    for package in ("mlflow", "wandb"):
        pytest.importorskip(package, reason=f"pip install 'triplet-train[{package}]'")
    import mlflow

    client = mlflow.MlflowClient((workplace / "mlruns").as_uri())
    evaluate = loop._evaluate

    def interrupted(*arguments):
        signal.raise_signal(signal.SIGINT)
        return evaluate(*arguments)

    folder = workplace / "runs/digits_semihard"
    with monkeypatch.context() as patch:
        patch.setattr(loop, "_evaluate", interrupted)
        status, _, err = command(train, *small_run(data_dir, *BOTH))
    assert status == 130 and "stopped at step 11 of 20" in err
    (stopped,) = client.search_runs(["0"])
    assert stopped.info.status == "KILLED"
    status, _, err = command(train, *small_run(data_dir, *BOTH), "--resume")
    assert status == 0 and "Traceback" not in err
    (done,) = client.search_runs(["0"])
    assert (done.info.run_name, done.info.status) == ("digits_semihard", "FINISHED")
    losses = client.get_metric_history(done.info.run_id, "loss")
    assert [metric.step for metric in losses] == [5, 10, 15, 20]
    assert {file.path for file in client.list_artifacts(done.info.run_id)} == set(FILES)
    ids = {each.name.rpartition("-")[2] for each in workplace.glob("wandb/offline-run-*")}
    assert json.loads((folder / "trackers.json").read_text()) == {
        "mlflow": done.info.run_id,
        "wandb": ids.pop(),
    }
    assert not ids
    resumed, whole = contents(folder), contents(finished_run)
    for part in ("log", "metrics", "step_00000020", "embeddings"):
        assert resumed[part] == whole[part]


def test_a_tracker_may_be_added_when_a_run_is_resumed(run_copy, finished_run, monkeypatch):
    from triplet_train.config import load_config

    (run_copy / "metrics.json").unlink()
    tracker = StubTracker()
    put_in_place(monkeypatch, mlflow=tracker)
    config = load_config(str(run_copy / "config.yaml"), ["train.trackers=[mlflow]"])
    run(TrainRequest(config, RunFolder(run_copy), resume=True), Console(quiet=True))
    metrics = [call for call in tracker.calls if call[0] == "metrics"]
    assert len(metrics) == 1 + len((finished_run / "metrics.jsonl").read_text().splitlines())
