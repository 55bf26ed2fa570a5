"""MLflow has the parameters, metrics and files of a run, as its own client reads them back."""

import socket

import pytest

from tests.helpers.tracked_runs import session
from triplet_train.config import by_key, load_config
from triplet_train.errors import Stopped
from triplet_train.training import tracking as module

mlflow = pytest.importorskip("mlflow", reason="pip install 'triplet-train[mlflow]'")

CLASSES = [f"class {number}" for number in range(2000)]
CONFIG = load_config(
    "digits_semihard", ["train.trackers=[mlflow]", f"data.train_classes={CLASSES}"]
)


@pytest.fixture
def client(local_trackers):
    """A client of the file store to which the environment points."""
    return mlflow.MlflowClient((local_trackers / "mlruns").as_uri())


def track(folder, *lines, error=None, config=CONFIG):
    earlier = [{"step": step, "loss": float(step)} for step in (1, 2)]
    return session(config, folder, earlier, lines, error)


def runs(client):
    return client.search_runs(["0"], order_by=["attributes.start_time ASC"])


def steps(client, run, name):
    history = client.get_metric_history(run.info.run_id, name)
    return [(metric.step, metric.value) for metric in history]


def test_a_run_has_its_parameters_metrics_by_step_files_and_end(client, tmp_path):
    (said,) = track(tmp_path / "my_run", {"step": 3, "loss": 0.5, "tpr_at_fpr_1e-2": 0.25})
    (run,) = runs(client)
    assert said == f"mlflow: run {run.info.run_id} in {client.tracking_uri}"
    assert (run.info.run_name, run.info.status) == ("my_run", "FINISHED")
    values = by_key(CONFIG)
    assert run.data.params.keys() == values.keys()
    assert run.data.params["loss.margin"] == str(CONFIG.loss.margin)
    assert len(str(values["data.train_classes"])) > 20_000
    assert str(values["data.train_classes"]).startswith(run.data.params["data.train_classes"])
    assert steps(client, run, "loss") == [(1, 1.0), (2, 2.0), (3, 0.5)]
    assert steps(client, run, "tpr_at_fpr_1e-2") == [(3, 0.25)]
    assert steps(client, run, "test__50__/map") == [(9, 0.5)]
    assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["config.yaml"]


def test_a_resumed_run_goes_on_after_its_last_step(client, tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(Stopped):
        track(folder, error=Stopped("stopped"))
    (stopped,) = runs(client)
    assert stopped.info.status == "KILLED"
    more = CONFIG.model_copy(update={"train": CONFIG.train.model_copy(update={"steps": 7})})
    track(folder, {"step": 3, "loss": 3.0}, config=more)
    (resumed,) = runs(client)
    assert (resumed.info.run_id, resumed.info.status) == (stopped.info.run_id, "FINISHED")
    assert steps(client, resumed, "loss") == [(1, 1.0), (2, 2.0), (3, 3.0)]
    assert resumed.data.params["train.steps"] == str(CONFIG.train.steps)


@pytest.mark.parametrize("gone", ["deleted", "elsewhere"])
def test_a_run_that_is_gone_is_begun_anew_with_all_steps(client, tmp_path, monkeypatch, gone):
    track(tmp_path / "run")
    (old,) = runs(client)
    if gone == "deleted":
        client.delete_run(old.info.run_id)
    else:
        store = (tmp_path / "other").as_uri()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
        client = mlflow.MlflowClient(store)
    track(tmp_path / "run")
    (new,) = runs(client)
    assert new.info.run_id != old.info.run_id
    assert steps(client, new, "loss") == [(1, 1.0), (2, 2.0)]


def test_a_password_in_the_address_is_not_printed(client, tmp_path, monkeypatch):
    monkeypatch.setattr(mlflow, "get_tracking_uri", lambda: "postgresql://me:secret@host/base")
    (said,) = track(tmp_path / "run")
    assert "secret" not in said and said.endswith(" in host/base")


def test_a_store_that_refuses_is_a_warning(client, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://somewhere")
    (warning,) = track(tmp_path / "run")
    assert warning.startswith("warning: mlflow failed, and the run goes on without it: ")


@pytest.mark.slow
def test_a_server_that_never_answers_does_not_hold_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        lines = track(tmp_path / "run")
    assert lines[-1].startswith("warning: mlflow has not answered for 3 seconds")
