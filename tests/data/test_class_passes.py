import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triplet_train.data.class_passes import ClassPasses

FAR = 10**9


@st.composite
def requests(draw):
    count = draw(st.integers(2, 60))
    return count, draw(st.integers(2, count)), draw(st.integers(0, 2**31 - 1))


@settings(max_examples=30, deadline=None)
@given(requests())
def test_at_any_time_all_classes_have_been_drawn_equally_often_give_or_take_one(request):
    count, p, seed = request
    passes, used = ClassPasses(count, p, seed), np.zeros(count, int)
    for step in range(120):
        classes, nth = passes.draw(step)
        assert len(set(classes.tolist())) == p
        np.testing.assert_array_equal(nth, used[classes])
        used[classes] += 1
        assert used.max() - used.min() <= 1


def test_a_step_far_into_a_run_is_drawn_without_those_before():
    classes, nth = ClassPasses(1000, 32, seed=0).draw(FAR)
    assert len(set(classes.tolist())) == 32 and set(nth) <= {FAR * 32 // 1000, FAR * 32 // 1000 + 1}


@pytest.mark.parametrize(
    ("count", "p"), [(20, 4), (7, 5), pytest.param(21, 10, marks=pytest.mark.slow)]
)
def test_any_two_classes_meet_about_equally_often(count, p):
    passes = ClassPasses(count, p, seed=1)
    there = np.zeros((4000, count))
    for step, drawn in enumerate(there):
        drawn[passes.draw(step)[0]] = 1
    meetings = (there.T @ there)[np.triu_indices(count, 1)]
    # As if each step were drawn by itself.
    assert meetings.var() < 1.3 * len(there) * p * (p - 1) / (count * (count - 1))


def test_seeds_differ_in_the_order_of_the_classes():
    assert len({ClassPasses(50, 8, seed).draw(0)[0].tobytes() for seed in range(9)}) == 9
