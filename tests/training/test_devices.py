"""Several devices and several processes train what one device trains."""

import json
import os
import signal
import socket

import numpy as np
import pytest
from networks import application
from processes import in_processes, set_up
from small_runs import figures, start

from triplet_train.config import load_config
from triplet_train.errors import RequestError, RunError, Stopped
from triplet_train.training.devices import _require_equal_shares, choose_devices

SGD = [
    "batch.classes=4",
    "batch.per_class=3",
    "model.filters=[8]",
    "model.embedding_dim=16",
    "optimizer.name=sgd",
    "optimizer.schedule=constant",
    "optimizer.learning_rate=0.02",
    "train.log_every=5",
    "train.eval_every=10",
    "train.checkpoint_every=20",
]
CASES = {
    "semi-hard": [],
    "hard, bound on the gradient, microbatches": [
        "loss.strategy=hard",
        "optimizer.clip_norm=0.1",
        "train.microbatch=3",
    ],
    "augmentation, microbatches": [
        "augment={rotate: 20, shift: 0.2, flip: horizontal, contrast: 0.3, erase: 0.3}",
        "train.microbatch=3",
    ],
    "batch normalisation": ["model.batch_norm=true"],
    "residual network": ["model.tower=resnet"],
}


def digits(*overrides, steps=20):
    return load_config("digits_semihard", [*SGD, f"train.steps={steps}", *overrides])


def small_run(config, folder, logical_cpus, environment, resume=False, signal_at_10=None):
    """In a process of its own; the signal comes when step 10 is judged."""
    set_up(logical_cpus, **environment)

    def evaluate():
        if signal_at_10:
            os.kill(os.getpid(), signal_at_10)
        return figures()

    weights, _ = start(config, folder, resume=resume, evaluate=evaluate)
    return weights


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


@pytest.mark.slow
@pytest.mark.parametrize("frozen", [False, True])
def test_two_devices_give_the_weights_of_one_with_an_application(tmp_path, frozen):
    # One step: 27 such layers at random weights amplify its rounding to 0.02 in the next.
    config = ["model={tower: MobileNet}", "optimizer.learning_rate=1e-3"]
    if frozen:
        application("MobileNet", channels=1).save_weights(tmp_path / "some.weights.h5")
        config += [f"model.weights='{tmp_path}/some.weights.h5'", "model.freeze_backbone=true"]
    one, mirrored = in_processes(
        small_run,
        (digits(*config, steps=1), tmp_path / "one", 1, {}),
        (digits("train.devices=mirrored", *config, steps=1), tmp_path / "mirrored", 2, {}),
    )
    for a, b in zip(one, mirrored, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-3)  # 0.06 with statistics of each device alone


@pytest.mark.parametrize(
    "case", [*list(CASES)[:-1], pytest.param(list(CASES)[-1], marks=pytest.mark.slow)]
)
def test_two_devices_give_the_weights_of_one_after_20_steps(tmp_path, case):
    one, mirrored = in_processes(
        small_run,
        (digits(*CASES[case]), tmp_path / "one", 1, {}),
        (digits("train.devices=mirrored", *CASES[case]), tmp_path / "mirrored", 2, {}),
    )
    assert_same(one, mirrored)


@pytest.mark.parametrize(
    "case", ["semi-hard", *(pytest.param(c, marks=pytest.mark.slow) for c in list(CASES)[1:])]
)
def test_two_processes_give_the_weights_of_one_after_20_steps(tmp_path, case):
    first, second = cluster(2)
    config = digits(*CASES[case])
    one, chief, other = in_processes(
        small_run,
        (config, tmp_path / "one", 1, {}),
        (config, tmp_path / "chief", 1, first),
        (config, tmp_path / "other", 1, second),
    )
    assert_same(one, chief)
    assert_same(chief, other)
    assert (tmp_path / "chief/metrics.jsonl").exists()
    assert not (tmp_path / "other").exists()  # only the chief writes


def test_a_run_of_two_processes_goes_on_in_one_with_the_same_result(tmp_path):
    run = tmp_path / "run"
    in_processes(small_run, *[(digits(steps=10), run, 1, place) for place in cluster(2)])
    resumed, whole = in_processes(
        small_run,
        (digits(), run, 1, {}, True),
        (digits(), tmp_path / "whole", 1, {}),
    )
    assert_same(resumed, whole)


def test_a_signal_to_one_process_stops_all_after_the_same_step(tmp_path):
    first, second = cluster(2)
    ends = in_processes(
        small_run,
        (digits(), tmp_path, 1, first, False, signal.SIGTERM),
        (digits(), tmp_path, 1, second),
    )
    for end in ends:
        assert isinstance(end, Stopped) and "stopped at step 11 of 20" in str(end)
        assert end.exit_status == 143
    assert (tmp_path / "checkpoints/step_00000011").is_dir()


def test_a_process_that_is_lost_ends_the_others_with_a_message(tmp_path):
    first, second = cluster(2)
    _, survivor = in_processes(
        small_run,
        (digits(), tmp_path, 1, first, False, signal.SIGKILL),
        (digits(), tmp_path, 1, second),
    )
    assert isinstance(survivor, RunError) and "another worker was lost" in str(survivor)


def test_processes_with_different_configurations_are_refused(tmp_path):
    first, second = cluster(2)
    ends = in_processes(
        small_run,
        (digits(), tmp_path / "run", 1, first),
        (digits("loss.margin=0.9"), tmp_path / "run", 1, second),
    )
    for end in ends:
        assert isinstance(end, RequestError) and "another configuration" in str(end)
    assert not (tmp_path / "run").exists()


def test_processes_that_find_different_checkpoints_are_refused(tmp_path):
    for name, steps in (("here", 10), ("there", 20)):
        in_processes(small_run, (digits(steps=steps), tmp_path / name, 1, {}))
    first, second = cluster(2)
    ends = in_processes(
        small_run,
        (digits(steps=30), tmp_path / "here", 1, first, True),
        (digits(steps=30), tmp_path / "there", 1, second, True),
    )
    for end, step in zip(ends, (10, 20), strict=True):
        assert isinstance(end, RunError), end
        assert f"of step {step}, on another worker of another" in str(end)


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


def test_devices_that_cannot_share_a_batch_are_refused():
    with pytest.raises(RequestError, match="5 devices cannot share the 4 x 3 = 12 images"):
        _require_equal_shares(digits(), 5)
    with pytest.raises(RequestError, match=r"the 6 images on each of 2 .* of 4"):
        _require_equal_shares(digits("train.microbatch=4"), 2)
    with pytest.raises(RequestError, match="batch normalisation"):
        _require_equal_shares(digits("train.microbatch=3", "model.batch_norm=true"), 2)
    for tower in ("resnet", "MobileNet"):
        with pytest.raises(RequestError, match="batch normalisation"):
            _require_equal_shares(digits("train.microbatch=3", f"model={{tower: {tower}}}"), 2)
    with pytest.raises(RequestError, match=r"train\.jit_compile"):
        _require_equal_shares(digits("train.jit_compile=true"), 2)
    _require_equal_shares(digits("train.microbatch=12"), 4)
    frozen = "{tower: MobileNet, weights: some.h5, freeze_backbone: true}"
    for model in ("{tower: VGG16}", frozen):
        _require_equal_shares(digits("train.microbatch=3", f"model={model}"), 2)
