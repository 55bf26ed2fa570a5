import pytest

from triplet_train.config import Config
from triplet_train.training.phases import phases


@pytest.mark.parametrize(
    "freeze, first, expected",
    [
        (False, 1, [(False, 1, 12)]),
        (True, 1, [(True, 1, 12)]),
        (5, 1, [(True, 1, 5), (False, 6, 12)]),
        (5, 5, [(True, 5, 5), (False, 6, 12)]),
        (5, 6, [(False, 6, 12)]),
        (5, 12, [(False, 12, 12)]),
        (5, 13, []),
        (True, 13, []),
    ],
)
def test_the_backbone_is_frozen_in_the_requested_steps_of_those_that_remain(
    monkeypatch, freeze, first, expected
):
    made = lambda tower, frozen, still: (tower, frozen, still)  # noqa: E731
    monkeypatch.setattr("triplet_train.training.phases.TrainedTower", made)
    model = Config.model_validate(
        {
            "data": {"dataset": "digits"},
            "model": {"init": "a run", "batch_norm": True, "freeze_backbone": freeze},
        }
    ).model
    given = [
        (frozen, steps[0], steps[-1])
        for (_, frozen, _), steps in phases(None, model, range(first, 13))
    ]
    assert given == expected
