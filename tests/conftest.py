"""Shared fixtures. TensorFlow is imported once, and one small run serves all who read one."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest

from tests.helpers.commands import SMALL, empty_page
from triplet_train.cli.command import without_collecting

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # for a background job of a script
    signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    with without_collecting():  # TensorFlow is imported
        return (yield)


def pytest_collection_modifyitems(items):
    """Run tests that start processes first, side by side: each worker has one fork server."""
    starting = {"in_processes", "run_until_killed"}
    items.sort(key=lambda item: starting.isdisjoint(vars(item.module)))


@pytest.fixture(scope="session")
def golden():
    """The folder of reference values computed by other libraries."""
    folder = SHARED / "golden"
    if not folder.is_dir():
        pytest.skip(f"no reference values in {folder}")
    return folder


@pytest.fixture(scope="session")
def pretrained():
    """A network that others trained on ImageNet, without its top; it takes images of any size."""
    file = SHARED / "pretrained/efficientnet_lite0_imagenet.keras"
    if not file.is_file():
        pytest.skip(f"no network {file}")
    return file


@pytest.fixture(scope="session")
def mnist_dir(tmp_path_factory):
    """A TFDS folder with MNIST as links, since the index of labels is written beside the files."""
    folder = SHARED / "tfds"
    if not (folder / "mnist").is_dir():
        pytest.skip(f"no MNIST in {folder}")
    links = tmp_path_factory.mktemp("mnist")
    for file in folder.glob("mnist/*/*"):
        place = links / file.parent.relative_to(folder)
        place.mkdir(parents=True, exist_ok=True)
        (place / file.name).symlink_to(file)
    return links


@pytest.fixture(scope="session")
def cifar10(tmp_path_factory):
    """A folder of links to JPEGs of CIFAR-10: `train` with 6,000, `test` with 1,500."""
    folder = SHARED / "images/cifar10"
    if not folder.is_dir():
        pytest.skip(f"no images in {folder}")
    links = tmp_path_factory.mktemp("cifar10")
    for file in folder.glob("*/*/*.jpg"):
        place = links / file.relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(file)
    return links


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    """A TFDS folder in which `digits` is prepared when first asked for."""
    return tmp_path_factory.mktemp("tfds")


@pytest.fixture(scope="session")
def small_disk(tmp_path_factory):
    """A disk of 256 KiB, empty before and after each test that takes it."""
    folder = tmp_path_factory.mktemp("disk")
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.fixture
def command(capfd, monkeypatch):
    """Run a command in this process: `command(main, *arguments)` -> (status, stdout, stderr)."""

    def run(main, *arguments):
        monkeypatch.setattr(
            sys, "argv", [f"triplet-{main.__module__.split('.')[-1]}", *map(str, arguments)]
        )
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        return ended.value.code or 0, out, err

    return run


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """An empty folder in which the test's commands work."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def local_trackers(tmp_path, monkeypatch):
    """The folder of the test, in which MLflow and W&B keep their runs; nothing is sent."""
    for name in [name for name in os.environ if name.startswith(("MLFLOW_", "WANDB_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    yield tmp_path
    if "wandb" in sys.modules:
        sys.modules["wandb"].teardown()  # it reads the environment once


@pytest.fixture
def without_pages(monkeypatch):
    """Save seconds a run; tests/jobs/test_report.py has whole pages."""
    from triplet_train.jobs import report

    monkeypatch.setattr(report, "write_page", empty_page)


@pytest.fixture
def without_tsne(monkeypatch):
    """Save seconds a page, coarse besides; that of a run in tests/jobs/test_report.py is whole."""
    from triplet_train.report import maps, style

    monkeypatch.setattr(maps, "FEWEST_FOR_TSNE", 10_000)
    monkeypatch.setitem(style._STYLE, "figure.dpi", 50)


@pytest.fixture(scope="session")
def digits_config(data_dir):
    """The demo's configuration, small enough to train in seconds: `digits_config(*overrides)`."""
    from triplet_train.config import load_config

    def make(*overrides):
        where = f"data.data_dir='{data_dir}'"
        small = [where, *SMALL, "train.log_every=5"]
        return load_config("digits_semihard", [*small, *overrides])

    return make


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory, digits_config):
    """The folder of a small finished run on `digits`, with an empty page. Not to be changed."""
    from triplet_train.console import SILENT
    from triplet_train.jobs import report
    from triplet_train.jobs.train.job import run
    from triplet_train.run.folder import RunFolder
    from triplet_train.run.request import TrainRequest

    folder = tmp_path_factory.mktemp("runs") / "digits"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "write_page", empty_page)
        run(TrainRequest(digits_config(), RunFolder(folder)), SILENT)
    return folder


@pytest.fixture
def run_copy(tmp_path, finished_run):
    """The folder `run` below the test's own: a copy of the small finished run, to be changed."""
    return shutil.copytree(finished_run, tmp_path / "run", symlinks=True)
