"""Intervals, against a plain bootstrap, Welch's interval and simulated sets."""

import numpy as np
import pytest
from scipy import stats

from triplet_train.evaluation import bootstrap
from triplet_train.evaluation.bootstrap import by_metric, difference_intervals, mean_intervals

RNG = np.random.default_rng(0)


def of_differences(values, labels):
    """Intervals of `values` as differences of two sides of one run."""
    shared = RNG.normal(size=(1, *values.shape))
    return difference_intervals(values + shared, shared, labels)


@pytest.mark.parametrize("intervals", [mean_intervals, of_differences])
def test_the_interval_is_that_of_a_plain_bootstrap_of_classes_widened_for_few(intervals):
    labels = RNG.integers(0, 12, 300) * 7
    both = RNG.normal(size=(2, 300)) + 0.3 * (labels % 5)
    found = intervals(both, labels)
    values = both[1]
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    means = []
    for _ in range(8000):
        drawn = [members[place] for place in RNG.integers(len(members), size=len(members))]
        means.append(values[np.concatenate(drawn)].mean())
    wide = stats.t.ppf(0.975, 11) / stats.norm.ppf(0.975) * np.sqrt(12 / 11)
    low, high = values.mean() + wide * (np.quantile(means, [0.025, 0.975]) - values.mean())
    assert found.shape == (2, 2)
    np.testing.assert_allclose(found[:, 1], [low, high], atol=0.04 * (high - low))
    np.testing.assert_array_equal(found, intervals(both, labels))


@pytest.mark.parametrize(("classes", "wide"), [(2, 9.17), (3, 2.69)])
def test_two_or_three_classes_have_wide_intervals_around_their_extreme_classes(classes, wide):
    means = np.array([0.5, 0.6, 0.4])[:classes]
    labels = np.repeat(np.arange(classes), 10)
    found = mean_intervals(means[labels][np.newaxis], labels)[:, 0]
    expected = means.mean() + wide * (np.array([means.min(), means.max()]) - means.mean())
    np.testing.assert_allclose(found, expected, atol=0.001)


def test_ends_are_values_that_the_metrics_can_have():
    ends = np.array([[-0.2, 0.3], [0.5, 1.4]])
    assert by_metric(["a", "b"], ends, least=0) == {"a": (0, 0.5), "b": (0.3, 1)}
    assert by_metric(["a", "b"], ends, least=-1) == {"a": (-0.2, 0.5), "b": (0.3, 1)}
    assert by_metric(["a", "b"], None, least=0) == {}


def test_equal_queries_have_an_interval_of_width_0():
    labels = np.repeat(np.arange(3), [1, 5, 7])
    np.testing.assert_array_equal(mean_intervals(np.ones((1, 13)), labels), [[1], [1]])


def test_both_sides_are_paired_so_that_what_they_share_does_not_widen_the_interval():
    labels = np.repeat(np.arange(20), 5)
    hard = 100 * RNG.normal(size=(1, 1, 100))  # how hard a query is
    low, high = difference_intervals(hard + 0.5, hard, labels)[:, 0]
    assert low == pytest.approx(0.5) and high == pytest.approx(0.5)


def test_the_same_values_on_both_sides_differ_by_nothing():
    values = RNG.random((3, 2, 40))
    labels = np.repeat(np.arange(4), 10)
    same = difference_intervals(values[:1], values[:1], labels)
    np.testing.assert_array_equal(same, np.zeros((2, 2)))
    several = difference_intervals(np.ones((3, 1, 40)), np.ones((2, 1, 40)), labels)
    np.testing.assert_array_equal(several, np.zeros((2, 1)))


def test_swapped_sides_give_the_same_interval_with_the_other_sign():
    first, other = RNG.random((2, 2, 1, 60))
    labels = np.repeat(np.arange(6), 10)
    found = difference_intervals(first, other, labels)[:, 0]
    swapped = difference_intervals(other, first, labels)[:, 0]
    np.testing.assert_allclose(found, -swapped[::-1], atol=0.05 * np.ptp(found))


@pytest.mark.parametrize("runs", [(3, 3), (2, 5)])
def test_where_queries_agree_the_interval_over_runs_is_that_of_welch(runs):
    first, other = (
        np.tile(RNG.normal(size=(count, 1, 1)), (1, 1, 30)) * scale
        for count, scale in zip(runs, (1, 3), strict=True)
    )
    found = difference_intervals(first, other, np.repeat(np.arange(10), 3))[:, 0]
    welch = stats.ttest_ind(first[:, 0, 0], other[:, 0, 0], equal_var=False).confidence_interval()
    np.testing.assert_allclose(found, welch, atol=0.002 * (welch.high - welch.low))


def test_with_a_single_run_on_a_side_runs_are_not_drawn():
    first = np.tile(RNG.normal(size=(5, 1, 1)), (1, 1, 30))
    found = difference_intervals(first, np.zeros((1, 1, 30)), np.repeat(np.arange(10), 3))
    np.testing.assert_allclose(found[:, 0], first.mean())


def test_queries_of_one_class_have_no_interval():
    assert mean_intervals(np.ones((1, 9)), np.zeros(9, int)) is None
    assert difference_intervals(np.ones((1, 1, 9)), np.zeros((1, 1, 9)), np.zeros(9, int)) is None


def map_at_r(vectors, size):
    """MAP@R of each image among classes of `size` images that follow each other."""
    labels = np.arange(len(vectors)) // size
    squares = (vectors**2).sum(axis=1)
    squared = squares[:, None] + squares - 2 * vectors @ vectors.T
    np.fill_diagonal(squared, np.inf)
    near = squared.argsort(axis=1)[:, : size - 1]
    hits = labels[near] == labels[:, None]
    return (hits * hits.cumsum(axis=1) / np.arange(1, size)).sum(axis=1) / (size - 1)


SIZE = 8  # images of a class
WIDTHS = np.repeat([1, 0.3], 6), np.repeat([0.3, 1], 6)  # of the axes of two towers


def images_of(rng, centres):
    return np.repeat(centres, SIZE, axis=0) + rng.normal(size=(SIZE * len(centres), 12))


def differences_of_a_set(rng, centres):
    """Differences of MAP@R between two towers, for new images of classes around centres."""
    points = images_of(rng, centres)
    one, other = (map_at_r(points * width, SIZE) for width in WIDTHS)
    return one - other


@pytest.mark.slow
@pytest.mark.parametrize(
    ("classes", "groups", "least"),
    [(2, 1, 0.75), (3, 1, 0.8), (10, 1, 0.84), (50, 1, 0.84), (10, 4, 0.94)],
)
def test_the_interval_of_a_metric_holds_its_mean_over_other_classes_and_images_or_images_alone(
    monkeypatch, classes, groups, least
):
    """Sets of one group have the same classes if there are several groups. -s prints the coverage.

    Below 95 % for other classes, since these are also the negatives of each other.
    """
    monkeypatch.setattr(bootstrap, "RESAMPLES", 1000)
    rng, sets = np.random.default_rng(3), 400 // groups
    labels = np.repeat(np.arange(classes), SIZE)
    covered = []
    for _ in range(groups):
        centres = 0.9 * rng.normal(size=(1 if groups > 1 else sets, classes, 12))
        centres = np.broadcast_to(centres, (sets, classes, 12))
        values = np.array([map_at_r(images_of(rng, each), SIZE) for each in centres])
        for each in values[:, np.newaxis]:
            ends = [mean_intervals(each, units)[:, 0] for units in (labels, np.arange(labels.size))]
            covered.append([low <= values.mean() <= high for low, high in ends])
    by_class, by_query = np.mean(covered, axis=0)
    which = "known" if groups > 1 else "new"
    print(f"a metric, {classes} {which} classes: by class {by_class:.3f}, by query {by_query:.3f}")
    assert by_class > least and by_query < by_class - 0.1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("classes", "least", "most_by_query"), [(10, 0.88, 0.8), (30, 0.9, 0.85), (100, 0.9, 0.85)]
)
def test_intervals_over_classes_hold_for_other_classes_and_those_over_queries_do_not(
    monkeypatch, classes, least, most_by_query
):
    """The expected difference is 0 by symmetry. -s prints the coverage."""
    monkeypatch.setattr(bootstrap, "RESAMPLES", 1000)
    rng, sets = np.random.default_rng(0), 400
    labels = np.repeat(np.arange(classes), SIZE)
    covered = np.zeros(2)
    for _ in range(sets):
        values = differences_of_a_set(rng, 0.9 * rng.normal(size=(classes, 12)))[None, None]
        for way, units in enumerate((labels, np.arange(len(labels)))):
            low, high = difference_intervals(values, np.zeros_like(values), units)[:, 0]
            covered[way] += low <= 0 <= high
    by_class, by_query = covered / sets
    print(f"{classes} new classes: by class {by_class:.3f}, by query {by_query:.3f}")
    assert least < by_class < 0.985 and by_query < most_by_query


@pytest.mark.slow
@pytest.mark.parametrize("classes", [10, 30])
def test_intervals_over_classes_hold_for_new_images_of_the_same_classes(monkeypatch, classes):
    monkeypatch.setattr(bootstrap, "RESAMPLES", 1000)
    rng, sets = np.random.default_rng(1), 60
    labels = np.repeat(np.arange(classes), SIZE)
    covered = np.zeros(2)
    for _ in range(5):
        centres = 0.9 * rng.normal(size=(classes, 12))
        values = np.array([differences_of_a_set(rng, centres) for _ in range(1000)])
        for each in values[:sets]:
            for way, units in enumerate((labels, np.arange(len(labels)))):
                found = difference_intervals(each[None, None], np.zeros((1, 1, len(each))), units)
                covered[way] += found[0, 0] <= values.mean() <= found[1, 0]
    by_class, by_query = covered / sets / 5
    print(f"{classes} known classes: by class {by_class:.3f}, by query {by_query:.3f}")
    assert by_class > 0.94 and by_query < by_class


def two_level(first, other, rng, samples=500):
    """A percentile bootstrap that draws runs of each side, then classes; [S, C] each."""
    means = []
    for _ in range(samples):
        classes = rng.integers(first.shape[1], size=first.shape[1])
        one, two = (side[rng.integers(len(side), size=len(side))] for side in (first, other))
        means.append(one[:, classes].mean() - two[:, classes].mean())
    return np.quantile(means, [0.025, 0.975])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("noise", "least_drawn"), [((0.02, 0.02), 0.9), ((0.05, 0.05), 0), ((0.05, 0.2), 0)]
)
def test_intervals_over_three_seeds_hold_and_those_of_drawn_seeds_are_too_narrow(
    monkeypatch, noise, least_drawn
):
    """Values of classes, of runs, of both together, and of queries are drawn; -s prints."""
    monkeypatch.setattr(bootstrap, "RESAMPLES", 1000)
    rng, sets, classes, size = np.random.default_rng(2), 400, 50, 6
    labels = np.repeat(np.arange(classes), size)
    covered = np.zeros(2)
    for _ in range(sets):
        of_class = 0.15 * rng.normal(size=classes)

        def side(deviation, of_class):
            of_run = deviation * rng.normal(size=(3, 1)) + 0.05 * rng.normal(size=(3, classes))
            return (of_class + of_run)[:, labels] + 0.2 * rng.normal(size=(3, len(labels)))

        one, two = side(noise[0], of_class), side(noise[1], -of_class)
        found = difference_intervals(one[:, None], two[:, None], labels)[:, 0]
        by_class = (each.reshape(3, classes, size).mean(axis=2) for each in (one, two))
        for way, (low, high) in enumerate((found, two_level(*by_class, rng))):
            covered[way] += low <= 0 <= high
    ours, drawn = covered / sets
    print(f"runs that deviate by {noise}: Student's t {ours:.3f}, drawn runs {drawn:.3f}")
    assert ours > 0.93 and least_drawn <= drawn < ours
