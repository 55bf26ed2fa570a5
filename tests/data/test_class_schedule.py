import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triplet_train.data import class_schedule
from triplet_train.data.class_schedule import ClassSchedule, appearances


@st.composite
def requests(draw):
    sizes = draw(st.lists(st.integers(2, 300), min_size=2, max_size=40))
    return np.array(sizes), draw(st.integers(2, len(sizes))), draw(st.integers(1, 60))


@settings(max_examples=60, deadline=None)
@given(requests(), st.integers(0, 2**31 - 1))
def test_a_step_has_distinct_classes_and_knows_how_often_each_was_drawn_before(request, seed):
    sizes, p, epoch = request
    schedule, used = ClassSchedule(sizes, p, epoch, seed), np.zeros(len(sizes), int)
    for step in range(150):
        classes, nth = schedule.draw(step)
        assert len(set(classes.tolist())) == p
        np.testing.assert_array_equal(nth, used[classes])
        used[classes] += 1


@settings(max_examples=30, deadline=None)
@given(requests(), st.integers(0, 2**31 - 1))
def test_in_any_epoch_a_class_appears_as_often_as_its_size_asks_for_give_or_take_one(request, seed):
    sizes, p, epoch = request
    schedule, exact = ClassSchedule(sizes, p, epoch, seed), appearances(sizes, p, epoch * 1024)
    for first in (0, epoch, 5 * epoch, 2047 * epoch):
        drawn = [schedule.draw(step)[0] for step in range(first, first + epoch)]
        counts = np.bincount(np.concatenate(drawn), minlength=len(sizes))
        assert (abs(counts - exact / 1024) < 1).all()


@settings(max_examples=80, deadline=None)
@given(requests())
def test_appearances_are_as_the_sizes_but_none_in_more_than_all_steps(request):
    sizes, p, epoch = request
    steps = 1024 * epoch
    counts = appearances(sizes, p, steps)
    assert counts.sum() == p * steps and counts.max() <= steps
    capped = counts == steps
    rest = (p - capped.sum()) * steps * sizes / max(sizes[~capped].sum(), 1)
    assert (abs(counts - rest)[~capped] <= 1).all()
    assert (sizes[capped] >= sizes[~capped].max(initial=0)).all()


def test_after_1024_epochs_every_class_has_appeared_as_often_as_it_should():
    sizes = np.array([2, 3, 50, 7, 1000, 20])
    schedule, steps = ClassSchedule(sizes, 2, 3, seed=0), 1024 * 3
    drawn = np.concatenate([schedule.draw(step)[0] for step in range(steps)])
    np.testing.assert_array_equal(np.bincount(drawn), appearances(sizes, 2, steps))
    np.testing.assert_array_equal(
        schedule.draw(steps)[1], appearances(sizes, 2, steps)[schedule.draw(steps)[0]]
    )


@pytest.mark.parametrize("sizes", [[20] * 100_000, np.arange(100_000) // 50 + 2])
def test_any_step_of_many_classes_costs_a_few_halvings_whatever_came_before(sizes, monkeypatch):
    halvings, halves = [], class_schedule._halves

    def counted(block, seed):
        halvings.append(block.steps)
        return halves(block, seed)

    monkeypatch.setattr(class_schedule, "_halves", counted)
    sizes = np.array(sizes)
    epoch = int(sizes.sum()) // (32 * 4)
    schedule = ClassSchedule(sizes, 32, epoch, seed=0)
    schedule.draw(10**6)
    assert len(halvings) <= np.log2(1024 * epoch)
    classes, nth = schedule.draw(10**6 + 40)
    np.testing.assert_array_equal(
        ClassSchedule(sizes, 32, epoch, seed=0).draw(10**6 + 40), (classes, nth)
    )
    assert (abs(nth - 1e6 / epoch / 1024 * appearances(sizes, 32, 1024 * epoch)[classes]) < 6).all()


@pytest.mark.parametrize(("count", "p"), [(10, 8), (30, 6), (60, 3)])
def test_any_two_classes_share_batches_about_equally_often(count, p):
    schedule = ClassSchedule(np.full(count, 40), p, 40, seed=0)
    there = np.zeros((6_000, count))
    for step in range(len(there)):
        there[step, schedule.draw(step)[0]] = 1
    meetings = (there.T @ there)[np.triu_indices(count, 1)]
    # As if each batch were drawn by itself.
    assert meetings.var() < 1.3 * len(there) * p * (p - 1) / (count * (count - 1))
