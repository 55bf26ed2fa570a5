"""Several steps in one call, as on one GPU; here XLA compiles them for the CPU."""

import re
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import config as of_tensorflow  # without a public form

from tests.helpers.small_runs import IMAGES, recalls, start
from triplet_train.config import load_config
from triplet_train.console import Console
from triplet_train.errors import RunError
from triplet_train.losses.mining.strategy import make_strategy
from triplet_train.registry import STRATEGIES
from triplet_train.run.folder import RunFolder
from triplet_train.training import calls, learner
from triplet_train.training.calls import SeveralSteps
from triplet_train.training.devices import Devices

HELD = replace(IMAGES, pixels=IMAGES.read(np.arange(len(IMAGES))))
SETTINGS = [
    "batch={classes: 3, per_class: 4}",
    "model.filters=[4]",
    "loss.strategy=naive",  # the fastest to compile
    "optimizer.schedule=constant",
]


def config_of(*changes, **train):
    train = {"steps": 24, "log_every": 10, "eval_every": 12, "checkpoint_every": 5} | train
    return load_config(
        "digits_semihard", [*SETTINGS, *changes, *(f"train.{k}={v}" for k, v in train.items())]
    )


@pytest.fixture
def as_on_a_gpu(monkeypatch):
    """Make up to 7 steps a call on the CPU; returns the ranges of steps that were made."""
    monkeypatch.setattr(Devices, "one_gpu", True)
    monkeypatch.setattr(calls, "gpu_memory", lambda: 2**20)
    monkeypatch.setattr(calls, "_MOST", 7)
    monkeypatch.setattr(calls, "_SECONDS", 10.0)
    made = []
    several = SeveralSteps.calls

    def remembered(self, steps, end):
        for these, run in several(self, steps, end):
            made.append(these)
            yield these, run

    monkeypatch.setattr(SeveralSteps, "calls", remembered)
    return made


@pytest.fixture
def op_determinism():
    """Tell whether deterministic operations are on. They end off, since tests share a process."""
    yield of_tensorflow.is_op_determinism_enabled
    of_tensorflow.disable_op_determinism()


def evaluate():
    return recalls(*[0.5] * 9)


AUGMENT = "{crop: 0.3, rotate: 10, flip: horizontal, contrast: 0.1, blur: 0.5, erase: 0.2}"
KINDS_OF_RUNS = [
    [],
    [f"augment={AUGMENT}"],
    ["train.microbatch=4"],
    ["model.batch_norm=true", "optimizer={name: adamw, weight_decay: 0.01, clip_norm: 1.0}"],
    ["loss={strategy: hard, warmup_steps: 4}"],
    *[[f"loss.strategy={name}"] for name in STRATEGIES if name not in ("naive", "hard")],
]


@pytest.mark.parametrize(
    "changes",
    [KINDS_OF_RUNS[0], *(pytest.param(each, marks=pytest.mark.slow) for each in KINDS_OF_RUNS[1:])],
    ids=str,
)
def test_several_steps_a_call_are_the_steps_one_by_one(tmp_path, as_on_a_gpu, monkeypatch, changes):
    config = config_of(*changes)
    weights, _ = start(config, tmp_path / "several", evaluate=evaluate(), images=HELD)
    assert [step for steps in as_on_a_gpu for step in steps] == list(range(1, 25))
    ends = {steps[-1] for steps in as_on_a_gpu}
    assert ends >= {5, 10, 12, 15, 20, 24} and max(map(len, as_on_a_gpu)) == 5
    monkeypatch.setattr(Devices, "one_gpu", False)
    alone, _ = start(config, tmp_path / "alone", evaluate=evaluate(), images=HELD)
    for one, other in zip(weights, alone, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    lines, expected = (RunFolder(tmp_path / name).logged() for name in ("several", "alone"))
    assert [list(line) for line in lines] == [list(line) for line in expected]
    for line, wanted in zip(lines, expected, strict=True):
        for name in set(line) - {"split", "images_per_second", "data_wait"}:
            assert line[name] == pytest.approx(wanted[name], abs=1e-4)


@pytest.mark.slow
def test_several_steps_a_call_resume_bit_for_bit_with_images_on_the_device_or_sent_to_it(
    tmp_path, as_on_a_gpu
):
    drops = "model.dropout=0.2"
    whole, _ = start(config_of(drops), tmp_path / "whole", evaluate=evaluate(), images=HELD)
    start(config_of(drops, steps=11), tmp_path / "parts", evaluate=evaluate(), images=IMAGES)
    config = config_of(drops, checkpoint_every=3)
    parts, _ = start(config, tmp_path / "parts", resume=True, evaluate=evaluate(), images=IMAGES)
    assert all((a == b).all() for a, b in zip(whole, parts, strict=True))


def test_a_step_that_xla_cannot_compile_is_made_without_it_unless_it_was_asked_for(
    tmp_path, as_on_a_gpu, monkeypatch
):
    def leaving_the_device(settings):
        def strategy(*arguments):
            found = make_strategy(settings)(*arguments)
            fraction = tf.numpy_function(lambda value: value, [found.active_fraction], tf.float32)
            return found._replace(active_fraction=tf.ensure_shape(fraction, []))

        return strategy

    monkeypatch.setattr(learner, "make_strategy", leaving_the_device)
    lines = []
    console = Console(write=lines.append)
    start(config_of(steps=2), tmp_path / "auto", evaluate=evaluate(), console=console)
    assert not as_on_a_gpu
    (said,) = [line for line in lines if "XLA" in line]
    assert re.fullmatch(r"XLA cannot compile the step \(.+\); training goes on without it", said)
    asked = config_of(steps=2, jit_compile="true")
    for one_gpu in (True, False):
        monkeypatch.setattr(Devices, "one_gpu", one_gpu)
        with pytest.raises(RunError, match=r"train\.jit_compile: XLA cannot compile the step"):
            start(asked, tmp_path / f"asked_{one_gpu}", evaluate=evaluate())


def test_a_deterministic_run_is_without_xla_and_on_a_cpu_the_same_as_any_other(
    tmp_path, as_on_a_gpu, op_determinism, monkeypatch
):
    drawn = ("model.dropout=0.2", "augment={rotate: 20, shift: 0.1}", "train.microbatch=4")
    few = {"steps": 6, "eval_every": 6}
    config = config_of(*drawn, **few, deterministic="true")
    with monkeypatch.context() as patch:
        patch.setattr(Devices, "one_gpu", False)
        plain, _ = start(config_of(*drawn, **few), tmp_path / "plain")
    assert not op_determinism()
    weights, _ = start(config, tmp_path / "deterministic")
    assert op_determinism() and not as_on_a_gpu
    assert all(np.array_equal(a, b) for a, b in zip(weights, plain, strict=True))


def test_an_image_that_cannot_be_read_for_several_steps_is_named_with_the_checkpoint(
    tmp_path, as_on_a_gpu
):
    def fail(rows):
        return IMAGES.read(rows), {0: "row 3"}

    message = "step 1 or a following step: cannot read the image row 3; the newest good"
    with pytest.raises(RunError, match=message):
        start(config_of(), tmp_path / "run", images=replace(IMAGES, try_read=fail))
