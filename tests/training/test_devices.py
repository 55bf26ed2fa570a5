"""Several devices and several processes train what one device trains."""

import json
import os
import shutil
import signal
import socket

import numpy as np
import pytest

from tests.helpers.networks import application
from tests.helpers.processes import in_processes, set_up
from tests.helpers.small_runs import metrics, start
from triplet_train.config import load_config
from triplet_train.console import SILENT
from triplet_train.errors import RequestError, RunError, Stopped
from triplet_train.jobs.train.dry_run import dry_run
from triplet_train.training.devices import _require_equal_shares, choose_devices

SGD = [
    "batch.classes=4",
    "batch.per_class=3",
    "model.filters=[8]",
    "model.embedding_dim=16",
    "loss.strategy=hard",  # compiles in half the time
    "optimizer.name=sgd",
    "optimizer.schedule=constant",
    "optimizer.learning_rate=0.02",
    "train.log_every=5",
    "train.eval_every=10",
    "train.checkpoint_every=10",
]
CASES = {
    "microbatches, bound on the gradient": ["train.microbatch=3", "optimizer.clip_norm=0.1"],
    "batch normalisation": ["model.batch_norm=true"],
    "augmentation, microbatches": [
        "augment={crop: 0.5, rotate: 20, flip: horizontal, contrast: 0.3, blur: 1, erase: 0.3}",
        "train.microbatch=3",
    ],
    "semi-hard": ["loss.strategy=semi_hard"],
    "residual network": ["model.tower=resnet"],
    "fine-tuning, microbatches": [
        *("model.batch_norm=true", "model.init=of another run", "model.freeze_backbone=10"),
        *("optimizer.backbone_rate=0.5", "optimizer.ema=0.9", "train.microbatch=3"),
    ],
}
NAMES = list(CASES)


def digits(*overrides, steps=20):
    return load_config("digits_semihard", [*SGD, f"train.steps={steps}", *overrides])


def small_run(config, folder, environment, resume=False, signal_at_10=None):
    """Train in a process of its own, which gets the signal when step 10 is evaluated."""
    set_up(**environment)

    def evaluate():
        if signal_at_10:
            os.kill(os.getpid(), signal_at_10)
        return metrics()

    weights, _ = start(config, folder, resume=resume, evaluate=evaluate)
    return weights


def mirrored_run(folder, overrides, steps=20):
    """The weights after a run on two devices, in a process of its own."""
    set_up(logical_cpus=2)
    return start(digits("train.devices=mirrored", *overrides, steps=steps), folder / "two")[0]


def dry_run_on_five():
    set_up(logical_cpus=5)
    dry_run(digits("train.devices=mirrored"), SILENT)


def cluster(workers):
    """The environment of each worker of a cluster on this machine."""
    sockets = [socket.socket() for _ in range(workers)]
    for free in sockets:
        free.bind(("localhost", 0))
    addresses = [f"localhost:{free.getsockname()[1]}" for free in sockets]
    for free in sockets:
        free.close()
    return [
        {
            "TF_CONFIG": json.dumps(
                {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            )
        }
        for index in range(workers)
    ]


def assert_same(weights, others):
    for one, other in zip(weights, others, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.fixture(scope="module")
def of_two_processes(tmp_path_factory):
    """The folder of a run and the weights in both of its processes. Not to be changed."""
    folder = tmp_path_factory.mktemp("two processes")
    return folder / "chief", train_in_two_processes(folder, digits())


def train_in_two_processes(folder, config):
    """Weights of the chief, which has the folder "chief", and of the other."""
    first, second = cluster(2)
    return in_processes(
        small_run,
        (config, folder / "chief", first),
        (config, folder / "other", second),
    )


@pytest.mark.slow
@pytest.mark.parametrize("frozen", [False, True])
def test_two_devices_give_the_weights_of_one_with_an_application(tmp_path, frozen):
    # One step: 27 such layers with random weights amplify its rounding to 0.02 in the next.
    config = ["model={tower: MobileNet}", "optimizer.learning_rate=1e-3"]
    if frozen:
        application("MobileNet", channels=1).save_weights(tmp_path / "some.weights.h5")
        config += [f"model.weights='{tmp_path}/some.weights.h5'", "model.freeze_backbone=true"]
    one, _ = start(digits(*config, steps=1), tmp_path / "one")
    (mirrored,) = in_processes(mirrored_run, (tmp_path, config, 1))
    for a, b in zip(one, mirrored, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-3)  # 0.06 with statistics of each device alone


@pytest.mark.parametrize(
    "case", [*NAMES[:2], *(pytest.param(name, marks=pytest.mark.slow) for name in NAMES[2:])]
)
def test_two_devices_give_the_weights_of_one_after_20_steps(tmp_path, case):
    (mirrored,) = in_processes(mirrored_run, (tmp_path, CASES[case]))
    assert_same(start(digits(*CASES[case]), tmp_path / "one")[0], mirrored)


def test_two_processes_give_the_weights_of_one_after_20_steps(tmp_path, of_two_processes):
    run, (chief, other) = of_two_processes
    assert_same(start(digits(), tmp_path / "one")[0], chief)
    assert_same(chief, other)
    assert (run / "metrics.jsonl").exists()
    assert not (run.parent / "other").exists()  # only the chief writes


@pytest.mark.slow
@pytest.mark.parametrize("case", NAMES)
def test_two_processes_give_the_weights_of_one_in_other_runs_too(tmp_path, case):
    config = digits(*CASES[case])
    one, _ = start(config, tmp_path / "one")
    for weights in train_in_two_processes(tmp_path, config):
        assert_same(one, weights)


def test_a_run_of_two_processes_goes_on_in_one_with_the_same_result(tmp_path, of_two_processes):
    shutil.copytree(of_two_processes[0], tmp_path / "run", symlinks=True)
    resumed, _ = start(digits(steps=30), tmp_path / "run", resume=True)
    whole, _ = start(digits(steps=30), tmp_path / "whole")
    assert_same(resumed, whole)


def test_a_signal_to_one_process_stops_all_after_the_same_step(tmp_path):
    first, second = cluster(2)
    ends = in_processes(
        small_run,
        (digits(), tmp_path, first, False, signal.SIGTERM),
        (digits(), tmp_path, second),
    )
    for end in ends:
        assert isinstance(end, Stopped) and "stopped at step 11 of 20" in str(end)
        assert end.exit_status == 143
    assert (tmp_path / "checkpoints/step_00000011").is_dir()


@pytest.mark.slow
def test_all_processes_end_early_after_the_same_step(tmp_path):
    config = digits("train.patience=2", steps=60)
    chief, other = train_in_two_processes(tmp_path, config)
    assert_same(chief, other)
    assert_same(start(digits("optimizer.schedule=constant", steps=30), tmp_path / "one")[0], chief)


def test_a_process_that_is_lost_ends_the_others_with_a_message(tmp_path):
    first, second = cluster(2)
    _, survivor = in_processes(
        small_run,
        (digits(), tmp_path, first, False, signal.SIGKILL),
        (digits(), tmp_path, second),
    )
    assert isinstance(survivor, RunError) and "another worker was lost" in str(survivor)


def test_processes_with_different_configurations_are_refused(tmp_path):
    first, second = cluster(2)
    ends = in_processes(
        small_run,
        (digits(), tmp_path / "run", first),
        (digits("loss.margin=0.9"), tmp_path / "run", second),
    )
    for end in ends:
        assert isinstance(end, RequestError) and "another configuration" in str(end)
    assert not (tmp_path / "run").exists()


def test_processes_that_find_different_checkpoints_are_refused(tmp_path, of_two_processes):
    for name in ("here", "there"):
        shutil.copytree(of_two_processes[0], tmp_path / name, symlinks=True)
    shutil.rmtree(tmp_path / "here/checkpoints/step_00000020")
    first, second = cluster(2)
    ends = in_processes(
        small_run,
        (digits(steps=30), tmp_path / "here", first, True),
        (digits(steps=30), tmp_path / "there", second, True),
    )
    for end, step in zip(ends, (10, 20), strict=True):
        assert isinstance(end, RunError), end
        assert f"of step {step} on this worker and that of another step" in str(end)


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "{",
        "[]",
        '{"cluster": {"worker": ["a:1"]}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "wroker", "index": 0}}',
    ],
)
def test_a_wrong_tf_config_is_refused_with_an_example(monkeypatch, content):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if content is not None:
        monkeypatch.setenv("TF_CONFIG", content)
    with pytest.raises(RequestError, match=r"TF_CONFIG.*host1:9000"):
        choose_devices(digits("train.devices=multi_worker"))


def test_a_dry_run_refuses_what_the_devices_of_the_machine_cannot_share():
    (error,) = in_processes(dry_run_on_five, ())
    assert isinstance(error, RequestError) and "5 devices cannot share" in str(error)


def test_devices_that_cannot_share_a_batch_are_refused():
    with pytest.raises(RequestError, match="5 devices cannot share the 4 x 3 = 12 images"):
        _require_equal_shares(digits(), 5)
    with pytest.raises(RequestError, match=r"4 does not divide the 6 images .* divisor is 3"):
        _require_equal_shares(digits("train.microbatch=4"), 2)
    with pytest.raises(RequestError, match="batch normalisation"):
        _require_equal_shares(digits("train.microbatch=3", "model.batch_norm=true"), 2)
    for tower in ("resnet", "MobileNet"):
        with pytest.raises(RequestError, match="batch normalisation"):
            _require_equal_shares(digits("train.microbatch=3", f"model={{tower: {tower}}}"), 2)
    _require_equal_shares(
        digits("train.microbatch=3", "model={batch_norm: true, init: of another run}"), 2
    )
    with pytest.raises(RequestError, match=r"train\.jit_compile"):
        _require_equal_shares(digits("train.jit_compile=true"), 2)
    _require_equal_shares(digits("train.microbatch=12"), 4)
    frozen = "{tower: MobileNet, weights: some.h5, freeze_backbone: true}"
    for model in ("{tower: VGG16}", frozen):
        _require_equal_shares(digits("train.microbatch=3", f"model={model}"), 2)
