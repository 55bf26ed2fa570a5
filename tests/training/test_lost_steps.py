import math

import pytest

from triplet_train.config import load_config
from triplet_train.training.lost_steps import LostSteps
from triplet_train.training.state import TrainingState

MADE, OVERFLOWED, STOOD_STILL, LEARNED_ALL = (0.1, 0.3), (math.inf, 0.3), (0.0, 0.3), (0.0, 0.0)
NOW_AND_THEN = ([STOOD_STILL] * 88 + [MADE]) * 2 + [STOOD_STILL] * 94


def told(steps, state=None, precision="float32"):
    """The failure that ends these steps, or the lines after them, and the state.

    With a failure comes its advice.
    """
    state = state or TrainingState()
    config = load_config("digits_semihard", ["train.steps=300", f"train.precision={precision}"])
    watch = LostSteps(config, state)
    said = None
    for step, (norm, loss) in enumerate(steps, state.step + 1):
        state.step = step
        watch.count({"gradient_norm": norm, "loss": loss})
        if failure := watch.failure(step):
            return f"{failure}. {watch.advice(step)}", state
        said = watch.warning(step)
    return said, state


@pytest.mark.parametrize("lost", [OVERFLOWED, STOOD_STILL])
def test_a_run_that_changes_nothing_ends_after_a_hundred_steps(lost):
    failure, state = told([lost] * 300, precision="mixed_float16")
    assert state.step == 100 and "hardly trained: 100 of 100 steps" in failure
    assert "overflowed float16" in failure


def test_a_gradient_that_did_not_overflow_is_not_reported_as_overflow():
    failure, _ = told([STOOD_STILL] * 300)
    assert "float16" not in failure


def test_a_run_fails_once_fewer_than_a_tenth_of_its_steps_have_changed_the_tower():
    """With a tenth or a little more it ends with a warning."""
    assert "hardly trained: 262 of 291 steps" in told([MADE] * 27 + NOW_AND_THEN)[0]
    assert told([MADE] * 28 + NOW_AND_THEN)[0].startswith("270 of 300 steps")
    assert told(([MADE] * 28 + NOW_AND_THEN)[:299])[0] is None


def test_a_run_that_changes_nothing_for_a_hundred_steps_in_a_row_ends_however_well_it_began():
    failure, state = told([MADE] * 150 + [STOOD_STILL] * 150)
    assert state.step == 250 and "no longer trained: 100 steps in a row" in failure
    assert told(([MADE] * 51 + [STOOD_STILL] * 99) * 2)[0].startswith("198 of 300 steps")


@pytest.mark.parametrize("steps", [[MADE] * 27 + NOW_AND_THEN, [MADE] * 150 + [STOOD_STILL] * 150])
def test_lost_steps_are_counted_across_a_resume(steps):
    _, state = told(steps[:200])
    again = TrainingState(**vars(state))
    assert told(steps[200:], again)[0] == told(steps)[0]


def test_the_advice_fits_the_cause():
    """Without a single gradient it cannot be its size."""
    for steps, precision, advised in (
        ([STOOD_STILL] * 100, "float32", "--preview"),
        ([STOOD_STILL] * 100, "mixed_float16", "--preview"),
        ([MADE] + [STOOD_STILL] * 99, "float32", None),
        ([OVERFLOWED] * 100, "mixed_float16", None),
        ([OVERFLOWED] + [STOOD_STILL] * 99, "mixed_float16", None),
    ):
        failure, _ = told(steps, precision=precision)
        assert (advised or ". None") in failure


@pytest.mark.parametrize("rest", [LEARNED_ALL, MADE])
def test_a_run_with_nothing_left_to_learn_or_a_few_overflows_gives_no_warning(rest):
    said, state = told([OVERFLOWED] * 15 + [rest] * 285, precision="mixed_float16")
    assert said is None and state.lost == 15
