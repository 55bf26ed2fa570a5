import math

import pytest

from triplet_train.config import load_config
from triplet_train.training.collapse import Collapse


def warnings(losses, spread, *overrides):
    watch = Collapse(load_config("mnist_hard", list(overrides)))
    metrics = ({"loss": loss, "embedding_spread": spread} for loss in losses)
    return [text for step, f in enumerate(metrics, 1) if (text := watch.warning(step, f))]


def test_a_collapse_is_reported_once_with_advice():
    (warning,) = warnings([0.5001] * 1000, 1e-5)
    assert "stayed at the margin, 0.5" in warning
    for change in ("learning_rate (0.0005)", "loss.warmup_steps"):
        assert change in warning
    assert "batch_norm" not in warning  # which mnist_hard has


def test_the_level_of_a_soft_margin_is_ln_2():
    (warning,) = warnings([math.log(2)] * 200, 1e-5, "loss.soft=true", "loss.margin=9.0")
    assert "ln 2, 0.6931" in warning and "loss.soft" not in warning


def test_until_the_warm_up_is_over_the_level_is_the_margin():
    soft = ["loss.soft=true", "loss.warmup_steps=150"]
    (warning,) = warnings([0.5] * 150, 1e-5, *soft)
    assert "the margin, 0.5" in warning
    assert warnings([math.log(2)] * 150, 1e-5, *soft) == []


def test_other_strategies_are_not_advised_to_change_what_they_lack():
    (warning,) = warnings([0.5] * 200, 1e-5, "loss.strategy=semi_hard", "model.batch_norm=false")
    assert "warmup" not in warning and "model.batch_norm: true" in warning


@pytest.mark.parametrize(
    "losses, spread",
    [
        ([0.5] * 99 + [0.4] + [0.5] * 99, 1e-5),  # recovers in between
        ([0.5] * 1000, 2e-3),  # as mnist_hard does at first
        ([0.3] * 1000, 1e-5),
    ],
)
def test_a_healthy_run_gives_no_warning(losses, spread):
    assert warnings(losses, spread) == []
