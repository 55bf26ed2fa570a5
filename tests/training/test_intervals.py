from triplet_train.config import load_config
from triplet_train.training.intervals import Intervals


def intervals(**train):
    return Intervals(
        load_config("digits_semihard", [f"train.{k}={v}" for k, v in train.items()]).train
    )


def steps_with(action, every):
    return [
        step
        for step in range(1, every.last + 1)
        if getattr(every.due(range(step, step + 1)), action)
    ]


def test_an_action_is_due_at_the_multiples_of_its_interval_and_at_the_end():
    every = intervals(steps=25, log_every=10, eval_every=12, checkpoint_every=30)
    assert steps_with("log", every) == [10, 20, 25]
    assert steps_with("evaluate", every) == [12, 24, 25]
    assert steps_with("save", every) == [25]
    assert steps_with("check", every) == [10, 12, 20, 24, 25]


def test_a_call_ends_with_the_first_step_that_has_an_action():
    every = intervals(steps=25, log_every=10, eval_every=12, checkpoint_every=30)
    assert [every.next(step) for step in (0, 9, 10, 11, 12, 20, 24)] == [10, 10, 12, 12, 20, 24, 25]
    assert every.due(range(11, 13)).evaluate and not every.due(range(11, 13)).log


def test_metrics_are_checked_every_hundred_steps_however_they_are_divided_into_calls():
    every = intervals(steps=1000, log_every=1000, eval_every=1000, checkpoint_every=1000)
    assert steps_with("check", every) == [*range(100, 1001, 100)]
    assert every.due(range(95, 111)).check and not every.due(range(101, 200)).check
