"""A device that runs out of memory, or has no deterministic kernel, ends a run with advice."""

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.small_runs import start
from triplet_train.config import load_config
from triplet_train.errors import RunError
from triplet_train.training import learner
from triplet_train.training.devices import Devices, fewer_at_a_time

SMALL = [
    "batch={classes: 4, per_class: 3}",
    "model.filters=[4]",
    "loss.strategy=hard",
    "train={steps: 6, log_every: 2, eval_every: 3, checkpoint_every: 2}",
]


def config_of(*overrides):
    return load_config("digits_semihard", [*SMALL, "optimizer.schedule=constant", *overrides])


def out_of_memory_at(number, make):
    """A function that makes steps, of which this one, counted from 0, fails."""

    def make_failing(*arguments, **options):
        step = make(*arguments, **options)

        def run(index, *others):
            if index == number:
                raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating\n a tensor")
            return step(index, *others)

        return run

    return make_failing


def test_a_run_out_of_memory_names_the_batch_and_its_checkpoint_from_which_it_goes_on(
    tmp_path, monkeypatch
):
    whole, _ = start(config_of(), tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(learner, "make_step", out_of_memory_at(4, learner.make_step))
        with pytest.raises(RunError) as error:
            start(config_of(), tmp_path / "run")
    (message,) = str(error.value).splitlines()
    for words in (
        "not enough memory on CPU",
        "OOM when allocating. 12 of the 12 images of a batch were in the tower at a time. Start "
        "again with train.microbatch: 6 (the largest divisor up to half of that), or give --resume",
        f"the newest good checkpoint is {tmp_path}/run/checkpoints/step_00000004",
    ):
        assert words in message
    resumed, _ = start(config_of(), tmp_path / "run", resume=True)
    assert all(np.array_equal(a, b) for a, b in zip(resumed, whole, strict=True))


@pytest.mark.parametrize(
    "size, microbatch, replicas, proposed",
    [
        ((10, 12), None, 1, 60),
        ((10, 12), 60, 1, 30),
        ((7, 3), None, 1, 7),
        ((7, 3), 7, 1, 3),
        ((7, 11), 7, 1, 1),
        ((8, 16), None, 4, 16),
        ((8, 16), 1024, 2, 32),
    ],
)
def test_the_microbatch_that_may_fit_is_accepted(size, microbatch, replicas, proposed):
    batch = f"batch={{classes: {size[0]}, per_class: {size[1]}}}"
    overrides = [] if microbatch is None else [f"train.microbatch={microbatch}"]
    assert f" train.microbatch: {proposed} " in fewer_at_a_time(
        config_of(batch, *overrides), replicas
    )
    config_of(batch, f"train.microbatch={proposed}")
    assert (size[0] * size[1] // replicas) % proposed == 0


def test_a_smaller_batch_is_advised_where_no_microbatch_can_be():
    for overrides, replicas in ((["train.microbatch=1"], 1), (["model.batch_norm=true"], 2)):
        advice = fewer_at_a_time(config_of(*overrides), replicas)
        assert advice.endswith("Start again with a smaller batch.per_class or batch.classes")


def test_an_operation_without_a_deterministic_kernel_is_named_with_the_key():
    devices = Devices(tf.distribute.get_strategy(), 1, 1, True, "a GPU")
    words = "A deterministic GPU implementation of AdjustContrast is not currently available."
    told = r"^train\.deterministic: .* on a GPU: A deterministic .* AdjustContrast"
    with pytest.raises(RunError, match=told), devices.failures_explained():
        raise tf.errors.UnimplementedError(None, None, words)
    with pytest.raises(tf.errors.UnimplementedError), devices.failures_explained():
        raise tf.errors.UnimplementedError(None, None, "no such kernel")
