"""Trackers get everything, in order; one that fails or hangs harms neither the run nor others."""

import json
import subprocess
import sys
import threading

import pytest

from tests.helpers.stub_trackers import StubTracker, put_in_place
from triplet_train.config import load_config
from triplet_train.console import Console
from triplet_train.errors import RequestError, RunError, Stopped
from triplet_train.run.folder import RunFolder
from triplet_train.run.request import TrainRequest
from triplet_train.training import tracking as module
from triplet_train.training.tracking import require_trackers, tracking

BOTH = load_config("digits_semihard", ["train.trackers=[mlflow, wandb]"])
EARLIER = [{"step": step, "loss": 0.5} for step in (1, 2, 3)]
LINE = {"step": 4, "loss": 0.25, "gradient_norm": None, "queries": 9, "split": "test"}
RESULT = [
    ("metrics", 5, {"train/map": 1.0, "test/map": 0.5}),
    *(("file", name) for name in ("config.yaml", "metrics.json")),
]


@pytest.fixture
def request_of_both(tmp_path):
    """A request with two trackers, whose run has two of the final files."""
    run = RunFolder(tmp_path)
    for file in (run.config, run.metrics):
        file.touch()
    return TrainRequest(BOTH, run)


def track(request, error=None):
    """Lines for the user of a session of a run, which ends with an error if one is given."""
    lines = []
    try:
        with tracking(request, Console(write=lines.append)) as trackers:
            trackers.earlier(EARLIER)
            trackers.metrics(LINE)
            if error:
                raise error
            splits = {"train": {"map": 1.0}, "test": {"map": 0.5, "queries": 9, "notes": []}}
            trackers.result(request.run, 5, splits)
    except BaseException as raised:
        assert raised is error
    return lines


def test_every_tracker_gets_the_metrics_the_files_and_the_end_in_this_order(
    request_of_both, monkeypatch
):
    first, second = StubTracker(), StubTracker()
    put_in_place(monkeypatch, mlflow=first, wandb=second)
    lines = track(request_of_both)
    assert sorted(lines) == ["mlflow: run new", "wandb: run new"]
    assert first.calls == second.calls
    assert first.calls == [
        ("start", None),
        *(("metrics", step, {"loss": 0.5}) for step in (1, 2, 3)),
        ("metrics", 4, {"loss": 0.25}),
        *RESULT,
        ("end", "finished"),
    ]


@pytest.mark.parametrize("fails", ["start", "metrics", "file", "end"])
def test_a_tracker_that_fails_is_named_once_and_the_other_gets_everything(
    request_of_both, monkeypatch, fails
):
    failing, other = StubTracker(fails), StubTracker()
    put_in_place(monkeypatch, mlflow=failing, wandb=other)
    lines = track(request_of_both)
    warning = f"warning: mlflow failed, and the run goes on without it: no {fails}"
    assert lines.count(warning) == 1 and sum("mlflow" in line for line in lines) <= 2
    assert [call[0] for call in other.calls[-3:]] == ["file", "file", "end"]
    assert fails not in [call[0] for call in failing.calls]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RunError("the loss is nan"), "failed"),
        (Stopped("stopped"), "stopped"),
        (KeyboardInterrupt(), "stopped"),
        (SystemExit(143), "stopped"),
    ],
)
def test_a_tracker_hears_how_the_run_ended(request_of_both, monkeypatch, error, status):
    stub = StubTracker()
    put_in_place(monkeypatch, mlflow=stub, wandb=StubTracker())
    track(request_of_both, error)
    assert stub.calls[-1] == ("end", status)


def test_a_run_waits_for_a_tracker_that_answers_and_not_for_one_that_hangs(
    request_of_both, monkeypatch
):
    hanging, slow = StubTracker(), StubTracker()
    monkeypatch.setattr(module, "PATIENCE", 0.5)
    monkeypatch.setattr(hanging, "metrics", lambda *_: threading.Event().wait())
    monkeypatch.setattr(slow, "file", lambda file: threading.Event().wait(0.3))
    put_in_place(monkeypatch, mlflow=hanging, wandb=slow)
    lines = track(request_of_both)
    assert "waiting for mlflow; all files of the run are written" in lines
    (warning,) = [line for line in lines if line.startswith("warning")]
    assert "mlflow has not answered for 0.5 seconds" in warning
    assert slow.calls[-1] == ("end", "finished")


def test_a_resumed_run_goes_on_in_each_tracker_with_the_steps_that_it_missed(
    request_of_both, monkeypatch
):
    put_in_place(monkeypatch, mlflow=StubTracker(), wandb=StubTracker(fails="start"))
    track(request_of_both)
    file = request_of_both.run.trackers
    assert json.loads(file.read_text()) == {"mlflow": "new"}
    known, late = StubTracker(known=["new"], step=2), StubTracker()
    put_in_place(monkeypatch, mlflow=known, wandb=late)
    track(request_of_both)
    assert [call[:2] for call in known.calls[:3]] == [
        ("start", "new"),
        ("metrics", 3),
        ("metrics", 4),
    ]
    assert [call[1] for call in late.calls[:5]] == [None, 1, 2, 3, 4]
    assert json.loads(file.read_text()) == {"mlflow": "new", "wandb": "new"}


def test_a_run_that_the_tracker_does_not_know_begins_anew(request_of_both, monkeypatch):
    file = request_of_both.run.trackers
    file.write_text('{"mlflow": "gone"}')
    stub = StubTracker()
    put_in_place(monkeypatch, mlflow=stub, wandb=StubTracker())
    track(request_of_both)
    assert stub.calls[0] == ("start", "gone") and stub.calls[1][:2] == ("metrics", 1)
    assert json.loads(file.read_text())["mlflow"] == "new"


def test_damaged_ids_are_a_failure_of_the_trackers_alone(request_of_both, monkeypatch):
    request_of_both.run.trackers.write_text("{")
    put_in_place(monkeypatch, mlflow=StubTracker(), wandb=StubTracker())
    lines = track(request_of_both)
    assert len(lines) == 2 and all("trackers.json is damaged" in line for line in lines)


def test_a_tracker_that_is_not_installed_is_refused_with_its_extra(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(RequestError, match=r"mlflow is not installed; .*'triplet-train\[mlflow\]'"):
        require_trackers(BOTH)
    monkeypatch.undo()
    (tmp_path / "tracker_of_a_test").mkdir()  # as W&B makes a folder wandb
    monkeypatch.syspath_prepend(tmp_path)
    folder = BOTH.train.model_copy(update={"trackers": ["tracker_of_a_test"]})
    with pytest.raises(RequestError, match="tracker_of_a_test is not installed"):
        require_trackers(BOTH.model_copy(update={"train": folder}))


def test_a_request_imports_no_tracker(tmp_path):
    code = """
import sys
from pathlib import Path
from triplet_train.errors import RequestError
from triplet_train.jobs.train.request import make_request
for name in ("mlflow", "wandb"):
    try:
        make_request("digits_semihard", [f"train.trackers=[{name}]"], run_dir=Path(sys.argv[1]))
    except RequestError as error:
        assert "is not installed" in str(error), error
assert not {"mlflow", "wandb", "tensorflow"} & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", code, tmp_path / "run"], check=True)
