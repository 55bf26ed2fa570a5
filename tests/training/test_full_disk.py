"""A disk that is full, made by a limit on the size of files."""

import resource

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.small_runs import metrics, start
from triplet_train.config import load_config
from triplet_train.console import SILENT
from triplet_train.errors import RunError
from triplet_train.run.folder import RunFolder
from triplet_train.training.devices import Devices
from triplet_train.training.log import RunLog
from triplet_train.training.tracking import Tracking

CONFIG = [
    "batch.classes=4",
    "batch.per_class=3",
    "model.filters=[8]",
    "loss.strategy=naive",  # the fastest to compile
    "train.steps=20",
    "train.log_every=5",
    "train.eval_every=10",
    "train.checkpoint_every=10",
]


def run_on_a_disk_that_fills_up(folder, room=None, resume=False, at_once=False):
    """Train; from the evaluation of step 10 on a file can hold `room` bytes."""
    _, most = before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def evaluate():
        resource.setrlimit(resource.RLIMIT_FSIZE, (room or before[0], most))
        return metrics()

    if at_once:
        evaluate()
    try:
        return start(
            load_config("digits_semihard", CONFIG), folder, resume=resume, evaluate=evaluate
        )[0]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The weights of a run that had room."""
    return run_on_a_disk_that_fills_up(tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize(
    "room, culprit",
    [
        (4000, "checkpoints/step_00000010"),
        pytest.param(600, "metrics.jsonl", marks=pytest.mark.slow),
    ],
)
def test_a_full_disk_is_reported_nothing_good_is_lost_and_the_run_can_be_resumed(
    tmp_path, whole, room, culprit
):
    run = tmp_path / "run"
    with pytest.raises(RunError, match=rf"{culprit} cannot be written: .*too large"):
        run_on_a_disk_that_fills_up(run, room)
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["step_00000000"]
    resumed = run_on_a_disk_that_fills_up(run, resume=True)
    assert all(np.array_equal(a, b) for a, b in zip(resumed, whole, strict=True))


def test_a_disk_that_is_full_from_the_start_leaves_a_run_that_resume_begins(tmp_path, whole):
    run = tmp_path / "run"
    with pytest.raises(RunError, match=r"no checkpoint was saved\. .* --resume starts at step 0$"):
        run_on_a_disk_that_fills_up(run, 4000, at_once=True)
    resumed = run_on_a_disk_that_fills_up(run, resume=True)
    assert all(np.array_equal(a, b) for a, b in zip(resumed, whole, strict=True))


def test_a_full_disk_under_tensorboard_is_not_reported_as_full_memory(tmp_path, small_disk):
    (tmp_path / "tensorboard").symlink_to(small_disk)
    filler = small_disk / "filler"
    metrics = dict.fromkeys(("loss", "active_fraction", "images_per_second"), 0.5)
    with (
        pytest.raises(RunError, match=r"tensorboard cannot be written: .*No space left"),
        RunLog(RunFolder(tmp_path), 0, 100, SILENT, Tracking()) as log,
    ):
        filler.write_bytes(bytes(2**18 - 2**12))
        for step in range(100):
            log.training(step, metrics, 0)
    filler.unlink()
    for events in small_disk.iterdir():
        events.unlink()


def test_the_message_names_the_exhausted_resource():
    devices = Devices(None, 1, 1, True, "a GPU")
    for message, told in (
        ("OOM when allocating tensor with shape[9]", "not enough memory on a GPU: OOM when alloc"),
        ("{{function_node f}} a/b; No space left on device", "^a/b; No space left on device$"),
        ("a/b; Too many open files", "^a/b; Too many open files$"),
    ):
        with pytest.raises(RunError, match=told), devices.failures_explained():
            raise tf.errors.ResourceExhaustedError(None, None, message)
