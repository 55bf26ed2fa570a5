"""A disk that is full, made by a limit on the size of files."""

import resource

import numpy as np
import pytest
from small_runs import figures, start

from triplet_train.config import load_config
from triplet_train.errors import RunError

CONFIG = [
    "batch.classes=4",
    "batch.per_class=3",
    "model.filters=[8]",
    "loss.strategy=naive",  # which is compiled soonest
    "train.steps=20",
    "train.log_every=5",
    "train.eval_every=10",
    "train.checkpoint_every=10",
]


def run_on_a_disk_that_fills_up(folder, room=None, resume=False):
    """`room`: what can be written to a file from the evaluation of step 10 on, in bytes."""
    _, most = before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def evaluate():
        resource.setrlimit(resource.RLIMIT_FSIZE, (room or before[0], most))
        return figures()

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
def test_a_full_disk_is_named_nothing_good_is_lost_and_the_run_goes_on_later(
    tmp_path, whole, room, culprit
):
    run = tmp_path / "run"
    with pytest.raises(RunError, match=rf"{culprit} cannot be written: .*too large"):
        run_on_a_disk_that_fills_up(run, room)
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["step_00000000"]
    resumed = run_on_a_disk_that_fills_up(run, resume=True)
    assert all(np.array_equal(a, b) for a, b in zip(resumed, whole, strict=True))
