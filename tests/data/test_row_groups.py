"""The rows of a class, followed group by group in plain Python."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triplet_train.data.row_groups import RowGroups


def groups_of(size, per_class, numbers, seed=0):
    """Groups of the second of two classes."""
    groups = RowGroups(np.array([5, size]), per_class, seed)
    return groups.rows(np.ones(len(numbers), int), np.array(numbers)).tolist()


def require_shuffled_passes(size, per_class, groups):
    """Assert that each group has distinct rows, and each pass of `size` rows has every row once."""
    assert all(len(set(group)) == per_class for group in groups)
    stream = [row for group in groups for row in group]
    for start in range(0, len(stream) - size + 1, size):
        assert sorted(stream[start : start + size]) == list(range(size))


@settings(max_examples=80, deadline=None)
@given(st.integers(2, 40), st.integers(2, 40), st.integers(0, 2**31 - 1))
def test_all_rows_come_once_before_any_comes_again_and_a_group_has_none_twice(size, k, seed):
    groups = groups_of(size, k, range(120), seed)
    if size >= k:
        require_shuffled_passes(size, k, groups)
    else:
        for group in groups:  # the whole class again and again
            assert sorted(group[:size]) == list(range(size))
            assert group == (group[:size] * k)[:k]


@pytest.mark.parametrize(
    ("size", "k"), [(1801, 1200), (1200, 1200), (1201, 1200), (2399, 1200), (2400, 1200), (97, 89)]
)
def test_the_same_holds_for_large_groups_of_prime_and_coprime_classes(size, k):
    require_shuffled_passes(size, k, groups_of(size, k, range(90)))


def test_a_group_is_the_same_whatever_is_asked_for_beside_it():
    whole = groups_of(23, 7, range(200))
    for numbers in ([199], [3, 150, 4], np.random.default_rng(0).permutation(200)):
        assert groups_of(23, 7, numbers) == [whole[number] for number in numbers]


def test_groups_far_into_a_run_are_cut_from_shuffled_passes_too():
    size, k = 1801, 1200
    start = 1801 * 10**6  # after as many groups a pass ends with a group
    require_shuffled_passes(size, k, groups_of(size, k, range(start, start + 12)))


@pytest.mark.parametrize(("size", "k"), [(20, 4), (21, 4), (7, 3), (9, 7), (7, 6), (3, 2)])
def test_any_two_rows_meet_about_equally_often(size, k):
    groups = np.array(groups_of(size, k, range(8_000)))
    there = np.zeros((len(groups), size))
    np.put_along_axis(there, groups, 1, axis=1)
    meetings = (there.T @ there)[np.triu_indices(size, 1)]
    # As if each group were drawn by itself.
    assert meetings.var() < 1.3 * len(groups) * k * (k - 1) / (size * (size - 1))
