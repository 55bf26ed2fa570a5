"""W&B has the configuration, metrics and files of a run, as they lie in an offline folder."""

import json
import socket
import struct
import subprocess
import sys

import pytest

from tests.helpers.tracked_runs import session
from triplet_train.config import load_config
from triplet_train.errors import Stopped

wandb = pytest.importorskip("wandb", reason="pip install 'triplet-train[wandb]'")

BLOCK = 2**15


pytestmark = pytest.mark.usefixtures("local_trackers")


def track(folder, *lines, error=None, steps=20):
    config = load_config("digits_semihard", ["train.trackers=[wandb]", f"train.steps={steps}"])
    return session(config, folder, [{"step": 1, "loss": 1.0}], lines, error)


def records(folder):
    """The records of the .wandb file of a run, which is in the format of LevelDB's logs."""
    from wandb.proto.wandb_internal_pb2 import Record

    (file,) = folder.glob("*.wandb")
    data, at, record = file.read_bytes(), 7, b""
    while at < len(data):
        if BLOCK - at % BLOCK < 7:  # too little for a header
            at += BLOCK - at % BLOCK
            continue
        _, size, kind = struct.unpack_from("<IHB", data, at)
        record += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # a whole record, or the last part of one
            yield Record.FromString(record)
            record = b""


def read(folder):
    """Read from a folder of W&B: the configuration, the logged rows, the files, the exit code."""
    wandb.teardown()  # as when the process ends: everything is on disk
    config, rows, files, code = {}, [], [], None
    for record in records(folder):
        for item in [*record.run.config.update, *record.config.update]:
            config[item.key or ".".join(item.nested_key)] = json.loads(item.value_json)
        if record.WhichOneof("record_type") == "history":
            row = {
                item.key or ".".join(item.nested_key): json.loads(item.value_json)
                for item in record.history.item
            }
            rows.append({key: row[key] for key in row if not key.startswith("_")})
        files += [file.path for file in record.files.files if "triplet_train" in file.path]
        if record.WhichOneof("record_type") == "exit":
            code = record.exit.exit_code
    return config, rows, files, code


def test_a_run_has_its_configuration_metrics_by_step_files_and_end(tmp_path):
    run = tmp_path / "run"
    (said,) = track(run, {"step": 2, "loss": 0.5, "tpr_at_fpr_1e-2": 0.25, "queries": 3})
    (folder,) = tmp_path.glob("wandb/offline-run-*")
    assert said == f"wandb: {folder}, for wandb sync"
    config, rows, files, code = read(folder)
    assert config["train"]["steps"] == 20 and config["data"]["dataset"] == "digits"
    assert rows == [
        {"step": 1, "loss": 1.0},
        {"step": 2, "loss": 0.5, "tpr_at_fpr_1e-2": 0.25},
        {"step": 9, "test[:50%]/map": 0.5},
    ]
    assert files == ["triplet_train/config.yaml"] and code == 0
    assert (folder / "files" / files[0]).read_text() == "seed: 0\n"


def test_a_resumed_run_has_the_same_id_and_the_new_configuration(tmp_path):
    run = tmp_path / "run"
    with pytest.raises(Stopped):
        track(run, error=Stopped("stopped"))
    (said,) = track(run, {"step": 2, "loss": 0.5}, steps=30)
    first, second = sorted(tmp_path.glob("wandb/offline-run-*"))
    id = json.loads((run / "trackers.json").read_text())["wandb"]
    assert said == f"wandb: {second}, for wandb sync"
    assert f"-{id}" in first.name and f"-{id}" in second.name
    assert read(first)[1:] == ([{"step": 1, "loss": 1.0}], [], 255)
    config, rows, _, code = read(second)
    assert config["train"]["steps"] == 30 and code == 0
    assert rows == [{"step": 2, "loss": 0.5}, {"step": 9, "test[:50%]/map": 0.5}]


@pytest.mark.slow
def test_a_run_without_a_login_is_a_warning_and_not_a_question(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("HOME", str(tmp_path))
    (warning,) = track(tmp_path / "run")
    assert "wandb failed, and the run goes on without it: No API key" in warning


@pytest.mark.slow
def test_a_server_that_never_answers_holds_neither_the_run_nor_the_end_of_the_process(
    tmp_path, monkeypatch
):
    code = """
import sys
from pathlib import Path
from triplet_train.config import load_config
from triplet_train.console import Console
from triplet_train.run.folder import RunFolder
from triplet_train.run.request import TrainRequest
from triplet_train.training.tracking import tracking

config = load_config("digits_semihard", ["train.trackers=[wandb]"])
with tracking(TrainRequest(config, RunFolder(Path(sys.argv[1]))), Console()):
    pass
"""
    (tmp_path / "run").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
        monkeypatch.setenv("WANDB_MODE", "online")
        monkeypatch.setenv("WANDB_INIT_TIMEOUT", "5")  # 90 by default
        done = subprocess.run(
            [sys.executable, "-c", code, tmp_path / "run"],
            capture_output=True,
            text=True,
            timeout=240,
            check=True,
        )
    assert "warning: wandb failed" in done.stderr
