"""A run survives the closing of its terminal."""

import os
import signal
import sys
from contextlib import suppress

import pytest

from triplet_train.console import Console
from triplet_train.errors import Stopped
from triplet_train.jobs.train import end, job
from triplet_train.jobs.train.job import run
from triplet_train.run.folder import RunFolder
from triplet_train.run.request import TrainRequest
from triplet_train.training import loop


@pytest.fixture
def closed_before(monkeypatch):
    """Make standard error a terminal that is closed just before a module's function is called."""
    master, slave = os.openpty()
    terminal = os.fdopen(slave, "w", buffering=1)

    def close_before(module, name):
        real = getattr(module, name)
        left = [master]

        def closing(*arguments, **options):
            while left:
                os.close(left.pop())
            return real(*arguments, **options)

        monkeypatch.setattr(module, name, closing)
        monkeypatch.setattr(sys, "stderr", terminal)  # here, as pytest sets it after fixtures

    yield close_before
    with suppress(OSError):
        terminal.close()


def test_a_run_whose_terminal_is_closed_before_it_begins_ends_as_by_sigpipe(
    tmp_path, digits_config, closed_before
):
    closed_before(job, "announce")
    with pytest.raises(Stopped) as stopped:
        run(TrainRequest(digits_config(), RunFolder(tmp_path / "run")), Console())
    assert stopped.value.exit_status == 128 + signal.SIGPIPE


def test_a_run_whose_terminal_is_closed_saves_its_step_and_ends_as_by_sigpipe(
    tmp_path, digits_config, closed_before
):
    """The run writes a bar, but no line before its last step."""
    closed_before(loop, "Clock")
    config = digits_config("train.eval_every=20", "train.checkpoint_every=20")
    with pytest.raises(Stopped, match="stopped at step 6 of 20") as stopped:
        run(TrainRequest(config, RunFolder(tmp_path / "run")), Console())
    assert stopped.value.exit_status == 128 + signal.SIGPIPE
    assert (tmp_path / "run/checkpoints/step_00000006").is_dir()


def test_a_run_whose_terminal_is_closed_after_training_is_finished(
    run_copy, digits_config, without_pages, closed_before
):
    folder = RunFolder(run_copy)
    for file in (folder.metrics, folder.report):
        file.unlink()
    closed_before(end, "load_embedder")
    request = TrainRequest(digits_config(), folder, resume=True)
    assert "recall_at_1" in run(request, Console())
    assert end.is_finished(request)
