"""Sides of a comparison: which runs belong together, and their names."""

import pytest

from triplet_train.errors import RequestError
from triplet_train.evaluation.sides import Tower, differing_keys, sides_of


def tower(origin, seed=0, more=(), **loss):
    config = {"seed": seed, "data": {"dataset": "digits"}, "model": {"tower": "cnn"}, "loss": loss}
    return Tower(origin, {"config": config, "checkpoint": origin, **dict(more)})


def named(*towers):
    return {side.name: [each.origin for each in side.towers] for side in sides_of(towers)}


def test_runs_that_differ_in_the_seed_only_are_one_side_named_after_the_strategy():
    runs = [tower(f"{name}_{seed}", seed, strategy=name) for name in "ab" for seed in (2, 0, 1)]
    assert named(*runs) == {"a": ["a_0", "a_1", "a_2"], "b": ["b_0", "b_1", "b_2"]}


def test_the_side_that_is_named_first_is_the_first():
    runs = [tower(f"{name}_{seed}", seed, strategy=name) for name in "ab" for seed in (0, 1)]
    assert list(named(runs[3], *runs[:3])) == ["b", "a"]


def test_a_side_is_named_after_as_few_settings_as_tell_it_apart():
    assert named(tower("x", margin=0.2, soft=1), tower("y", margin=0.5, soft=2)) == {
        "margin 0.2": ["x"],
        "margin 0.5": ["y"],
    }
    three = (
        tower("x", strategy="hard", margin=0.2),
        tower("y", strategy="hard", margin=0.5),
        tower("z", strategy="naive", margin=0.2),
    )
    assert list(named(*three)) == ["hard, margin 0.2", "hard, margin 0.5", "naive, margin 0.2"]
    flipped = named(tower("x"), tower("y", more={"flip": True}))
    assert list(flipped) == ["x", "flip True"]


def test_towers_of_one_configuration_and_one_seed_are_sides_named_by_their_files():
    steps = [tower("step_10", strategy="hard"), tower("step_20", strategy="hard")]
    assert named(*steps) == {"step_10": ["step_10"], "step_20": ["step_20"]}
    assert list(named(*steps, tower("b", strategy="naive"))) == ["step_10", "step_20", "naive"]


def test_files_that_name_no_configuration_are_sides_of_their_own():
    assert list(named(Tower("a.npz", {}), Tower("b.npz", {"config": None}))) == ["a.npz", "b.npz"]
    assert list(named(tower("run", strategy="hard"), Tower("b.npz", {}))) == ["run", "b.npz"]


def test_seeds_of_one_configuration_alone_are_refused():
    with pytest.raises(RequestError, match="all 2 runs have one configuration"):
        sides_of([tower("a_0", 0), tower("a_1", 1)])


def test_settings_that_differ_are_listed_those_of_the_loss_first():
    one = tower("x", strategy="hard").settings()
    other = {**one, "loss.strategy": "naive", "data.dataset": "mnist"}
    assert differing_keys([one, other, {}]) == ["loss.strategy", "data.dataset"]
    assert "seed" not in one and "checkpoint" not in one
