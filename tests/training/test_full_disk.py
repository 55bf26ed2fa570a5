"""A disk that is full, made by a limit on the size of files."""

import resource

import numpy as np
import pytest
from processes import in_processes, set_up
from small_runs import figures, start

from triplet_train.config import load_config
from triplet_train.errors import RunError

CONFIG = [
    "batch.classes=4",
    "batch.per_class=3",
    "model.filters=[8]",
    "train.steps=20",
    "train.log_every=5",
    "train.eval_every=10",
    "train.checkpoint_every=10",
]


def run_on_a_disk_that_fills_up(folder, room, resume=False):
    """`room`: what can be written to a file from the evaluation of step 10 on, in bytes."""
    set_up()

    def evaluate():
        if room:
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
        return figures()

    weights, _ = start(
        load_config("digits_semihard", CONFIG), folder, resume=resume, evaluate=evaluate
    )
    return weights


@pytest.mark.parametrize(
    "room, culprit", [(4000, "checkpoints/step_00000010"), (600, "metrics.jsonl")]
)
def test_a_full_disk_is_named_nothing_good_is_lost_and_the_run_goes_on_later(
    tmp_path, room, culprit
):
    run = tmp_path / "run"
    (failure,) = in_processes(run_on_a_disk_that_fills_up, (run, room))
    assert isinstance(failure, RunError), failure
    assert f"{culprit} cannot be written: " in str(failure) and "too large" in str(failure)
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["step_00000000"]
    resumed, whole = in_processes(
        run_on_a_disk_that_fills_up, (run, 0, True), (tmp_path / "whole", 0)
    )
    assert all(np.array_equal(a, b) for a, b in zip(resumed, whole, strict=True))
