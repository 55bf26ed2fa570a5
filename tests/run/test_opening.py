"""A run folder is opened by one process at a time, and never replaces something else."""

import multiprocessing
import os
import signal
from dataclasses import replace

import pytest

from triplet_train.config import load_config
from triplet_train.errors import RequestError
from triplet_train.run.folder import RunFolder
from triplet_train.run.guard import check
from triplet_train.run.lock import locked
from triplet_train.run.opening import opened
from triplet_train.run.request import TrainRequest


@pytest.fixture
def run(tmp_path):
    return RunFolder(tmp_path / "run")


@pytest.fixture
def new(run):
    """A request for a new run."""
    return TrainRequest(load_config("digits_semihard"), run)


def test_a_second_process_in_a_run_folder_is_refused(run, new):
    with opened(new, {}):
        second = opened(replace(new, overwrite=True), {})
        with pytest.raises(RequestError, match="another process is using"), second:
            pass
        assert run.config.exists()


def test_nothing_but_the_description_is_left_in_a_folder_that_was_opened(run, new):
    with opened(new, {}):
        pass
    assert {path.name for path in run.path.iterdir()} == {"config.yaml", "environment.json"}


def hold(path, held):
    with locked(RunFolder(path)):
        held.set()
        signal.pause()


def test_the_lock_of_a_killed_process_blocks_nobody(run, new):
    run.path.mkdir()
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    process = context.Process(target=hold, args=(run.path, held))
    process.start()
    assert held.wait(60)
    with pytest.raises(RequestError, match="another process"), opened(new, {}):
        pass
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert [path.name for path in run.path.iterdir()] == [run.lock.name]
    with opened(new, {}):  # the folder counts as empty
        pass
    assert run.is_run() and not run.lock.exists()


def test_a_killed_overwrite_leaves_a_run_or_a_folder_that_counts_as_empty(run, new):
    with opened(new, {}):
        for entry in run.entries:
            if not entry.exists():
                entry.write_text("{}")
    for entry in run.entries:
        entry.unlink()
        check(replace(new, overwrite=True))
        if run.is_run():
            with pytest.raises(RequestError, match="holds a run"):
                check(new)


def test_a_run_without_a_checkpoint_starts_again_from_the_tower_that_it_started_from(run, new):
    with opened(new, {"train": "abc"}, pretrained={"model.init": "its SHA-256"}):
        pass
    again = replace(new, resume=True)
    for pretrained in ({"model.init": "its SHA-256"}, {}):  # it needs none with a checkpoint
        with opened(again, {"train": "abc"}, pretrained=pretrained):
            pass
    other = opened(again, {"train": "abc"}, pretrained={"model.init": "another"})
    with pytest.raises(RequestError, match="from another tower than model"), other:
        pass
