"""Runs that stopped or lost a checkpoint go on where they were."""

import json
import shutil
import signal

import pytest

from tests.helpers.commands import RESUME, changed, small_run
from tests.helpers.run_contents import contents
from triplet_train.cli.train import main as train
from triplet_train.training import log, loop

pytestmark = pytest.mark.usefixtures("without_pages")


def resume_after(damage, command, run_copy):
    """Exit status and stderr of the run that goes on after damage before its end."""
    (run_copy / "metrics.json").unlink()
    damage(run_copy / "checkpoints")
    status, _, err = command(train, *RESUME)
    return status, err


def test_a_signal_to_stop_saves_the_step_and_resume_goes_on(
    workplace, command, data_dir, monkeypatch
):
    evaluate = loop._evaluate
    request = small_run(data_dir, *changed("train.eval_every=5"))

    def send_signal(*arguments):
        signal.raise_signal(signal.SIGINT)
        return evaluate(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "_evaluate", send_signal)
        status, _, err = command(train, *request)
    assert status == 130 and "stopped at step 6 of 20" in err and "--resume" in err
    with monkeypatch.context() as patch:  # nobody reads the messages any more
        patch.setattr(
            log.RunLog, "say", lambda self, line: vars(self).update(hangup_signal=signal.SIGPIPE)
        )
        assert command(train, *request, "--resume")[0] == 128 + signal.SIGPIPE
    assert (workplace / "runs/digits_semihard/checkpoints/step_00000007").is_dir()
    status, _, err = command(train, *request, "--resume", *changed("train.steps=6"))
    assert status == 2 and "train.steps: 20 -> 6" in err
    status, out, err = command(train, *request, "--resume", *changed("train.steps=9"))
    assert status == 0 and "recall_at_1" in out and "another train.steps: 20 -> 9" in err
    assert "warning: the learning rate" in err  # of a cosine schedule


def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(
    workplace, command, finished_run, run_copy
):
    def damage(folder):  # tests/training/test_checkpoints.py damages every part
        (folder / "step_00000020/embedder.keras").write_bytes(b"PK half")

    status, err = resume_after(damage, command, run_copy)
    assert status == 0 and "Traceback" not in err
    assert "step_00000020 is damaged" in err
    assert "resuming from run/checkpoints/step_00000010" in err
    assert contents(run_copy) == contents(finished_run)
    environment = json.loads((run_copy / "environment.json").read_text())
    begun = json.loads((finished_run / "environment.json").read_text())
    (resumed,) = environment.pop("resumed")
    assert environment == begun and resumed.keys() == begun.keys() - {"rows_sha256", "classes"}


@pytest.mark.slow
def test_a_missing_checkpoint_is_computed_again(workplace, command, finished_run, run_copy):
    def damage(folder):
        shutil.rmtree(folder / "step_00000020")

    status, err = resume_after(damage, command, run_copy)
    assert status == 0 and "resuming from run/checkpoints/step_00000010" in err
    assert contents(run_copy) == contents(finished_run)


def test_no_checkpoint_that_can_be_read_is_an_error(workplace, command, run_copy):
    status, err = resume_after(shutil.rmtree, command, run_copy)
    assert status == 1 and "run has no readable checkpoint" in err
    assert not (run_copy / "checkpoints").exists()


def test_a_damaged_best_checkpoint_is_reported_and_chosen_again(workplace, command, run_copy):
    def damage(folder):
        state = folder / "step_00000020/state.json"
        other = {"best_step": 10, "best_sha256": "of a tower that is lost"}
        state.write_text(json.dumps(json.loads(state.read_text()) | other))
        (folder / "step_00000010/embedder.keras").write_bytes(b"PK half")

    status, err = resume_after(damage, command, run_copy)
    assert status == 0 and "step_00000010/embedder.keras, the best so far, is damaged" in err
    assert json.loads((run_copy / "metrics.json").read_text())["step"] == 20


def test_a_run_killed_before_it_linked_its_best_checkpoint_is_completed_when_resumed(
    workplace, command, finished_run, run_copy
):
    for name in ("metrics.json", "embedder.keras", "checkpoints/best"):
        (run_copy / name).unlink()
    assert command(train, *RESUME)[0] == 0
    for name in ("metrics.json", "embedder.keras"):
        assert (run_copy / name).read_bytes() == (finished_run / name).read_bytes()
