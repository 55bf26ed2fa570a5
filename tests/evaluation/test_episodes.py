from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triplet_train.errors import RequestError
from triplet_train.evaluation.episodes import Episodes, class_indices, draw, evaluate_episodes


def clouds(sizes, spread=1.0, width=4, seed=0):
    """Vectors around a point for each class, in random order; labels with gaps between them."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(3 * np.arange(len(sizes)) - 1, sizes))
    centres = np.random.default_rng(99).normal(size=(3 * len(sizes), width))
    vectors = centres[labels] + spread * rng.normal(size=(len(labels), width))
    return vectors.astype(np.float32), labels


def slow_accuracies(x, y, asked):
    """One query at a time, by the definitions."""
    usable = [rows for rows in class_indices(y) if len(rows) > asked.shots]
    accuracies = []
    for number in range(asked.episodes):
        episode = draw(usable, asked, number)
        means = [
            np.mean([np.float64(x[row]) for row in rows[: asked.shots]], 0) for rows in episode
        ]
        shares = []
        for place, rows in enumerate(episode):
            right = 0
            for row in rows[asked.shots :]:
                distances = [np.linalg.norm(x[row] - mean) for mean in means]
                own = distances.pop(place)
                right += own + 2**-23 * (np.linalg.norm(np.float64(x[row])) + own) < min(distances)
            shares.append(right / len(rows[asked.shots :]))
        accuracies.append(np.mean(shares))
    return accuracies


@st.composite
def requests(draw):
    """Labels and what is asked of them, with enough classes."""
    shots, queries = draw(st.integers(1, 6)), draw(st.integers(1, 8))
    sizes = draw(st.lists(st.integers(1, 16), min_size=1, max_size=10))
    sizes += draw(st.lists(st.integers(shots + 1, 20), min_size=2, max_size=4))
    ways = draw(st.integers(2, sum(size > shots for size in sizes)))
    return sizes, Episodes(2, ways, shots, queries, draw(st.integers(0, 2**40)))


@pytest.mark.parametrize("shots", [1, 2, 5])
@pytest.mark.parametrize("ways", [2, 6])
@pytest.mark.parametrize("whole_numbers", [False, True])
def test_every_episode_has_the_accuracy_that_the_definition_gives(ways, shots, whole_numbers):
    x, y = clouds([4, 6, 7, 9, 12, 30, 40, 1])
    x = np.round(x) if whole_numbers else x  # many ties
    asked = Episodes(30, ways, shots, seed=3)
    found = evaluate_episodes(x, y, asked)
    slow = slow_accuracies(x, y, asked)
    assert found.per_episode.tolist() == slow
    assert 0 < found.accuracy < 1 and found.accuracy == np.mean(slow)
    reach = 1.96 * np.std(slow, ddof=1) / np.sqrt(30)
    assert found.interval == pytest.approx((np.mean(slow) - reach, np.mean(slow) + reach))


@settings(max_examples=150, deadline=None)
@given(requests(), st.integers(0, 10**6))
def test_an_episode_holds_distinct_classes_and_of_each_distinct_rows(request, number):
    sizes, asked = request
    _, labels = clouds(sizes)
    usable = [rows for rows in class_indices(labels) if len(rows) > asked.shots]
    episode = draw(usable, asked, number)
    assert len({int(labels[rows[0]]) for rows in episode}) == len(episode) == asked.ways
    for rows in episode:
        assert (labels[rows] == labels[rows[0]]).all()
        available = (labels == labels[rows[0]]).sum()
        # So no support image is among the queries, and there is at least one of these.
        assert len(set(rows.tolist())) == len(rows) > asked.shots
        assert len(rows) == min(asked.shots + asked.queries_per_class, available)


@settings(max_examples=60, deadline=None)
@given(requests())
def test_the_counts_of_classes_and_queries_are_right(request):
    sizes, asked = request
    x, y = clouds(sizes)
    found = evaluate_episodes(x, y, asked)
    usable = [size for size in sizes if size > asked.shots]
    assert found.classes == len(usable)
    counts = [min(size - asked.shots, asked.queries_per_class) for size in usable]
    assert found.queries_per_class == (min(counts), max(counts))
    left_out = [label for label in np.unique(y) if (y == label).sum() <= asked.shots]
    assert found.left_out_labels == left_out


def outcomes(x):
    """Accuracy of each 2-way 1-shot episode of classes of three images, all equally likely."""
    for one, other in combinations(range(len(x) // 3), 2):
        for supports in product(range(3), range(3)):
            rows = [[3 * c, 3 * c + 1, 3 * c + 2] for c in (one, other)]
            (a, b) = (of.pop(place) for of, place in zip(rows, supports, strict=True))
            right = [abs(x[q] - x[a]) < abs(x[q] - x[b]) for q in rows[0]]
            right += [abs(x[q] - x[b]) < abs(x[q] - x[a]) for q in rows[1]]
            yield np.mean(right)


LINE = np.array([0, 1.1, 2.3, 2, 3.6, 5.2, 4, 6.1, 8.3])  # three classes of three images
EXPECTED = np.mean(list(outcomes(LINE)))


def line(episodes, seed):
    x = LINE[:, np.newaxis].astype(np.float32)
    return evaluate_episodes(x, np.repeat([0, 1, 2], 3), Episodes(episodes, 2, seed=seed))


def test_the_mean_over_many_episodes_is_that_of_all_possible_ones():
    found = line(2000, seed=0)
    assert 0.5 < EXPECTED < 0.9
    error = (found.accuracy - found.interval[0]) / 1.96
    assert found.accuracy == pytest.approx(EXPECTED, abs=4 * error)


@pytest.mark.slow
def test_the_interval_holds_the_expected_accuracy_19_times_in_20():
    intervals = [line(40, seed).interval for seed in range(400)]
    covered = np.mean([low <= EXPECTED <= high for low, high in intervals])
    assert 0.917 <= covered <= 0.983  # 95 % of 400, give or take three standard errors


def test_the_accuracy_can_be_worked_out_by_hand():
    # One image of the first class is far off, nearer to the other class.
    x = np.array([0, 0, 100, 10, 10, 10])[:, np.newaxis]
    y = np.array([7, 7, 7, 4, 4, 4])
    found = evaluate_episodes(x, y, Episodes(300, 2))
    # Support 0: of the queries 0 and 100 the latter is nearer to 10, so 3 of 4 are right.
    # Support 100: both queries, 0, are nearer to 10, so 2 of 4 are.
    assert set(found.per_episode) == {0.75, 0.5}
    assert found.accuracy == pytest.approx(2 / 3, abs=0.03)


def test_a_class_is_its_mean_and_not_its_nearest_example():
    x = np.array([0, 10, 0, 10, 0, 10, 7, 7, 7, 7, 7, 7], np.float32)[:, np.newaxis]
    y = np.repeat([0, 1], 6)
    found = evaluate_episodes(x, y, Episodes(200, 2, shots=5))
    # With two of 0 and three of 10, or the other way round, the mean is 6 or 4: 10 is then nearer
    # to 7, and 0 to 4.
    assert set(found.per_episode) == {0.5, 1.0}


def test_well_separated_classes_are_distinguished_without_error():
    x, y = clouds([20] * 8, spread=1e-3)
    found = evaluate_episodes(x, y, Episodes(50, 8))
    assert (found.accuracy, found.interval) == (1, (1, 1))


@pytest.mark.parametrize("shots", [1, 3, 7])
def test_a_tower_that_maps_all_images_to_one_point_has_zero_accuracy(shots):
    point = np.random.default_rng(0).normal(size=33)
    y = np.arange(90) % 5
    for length in (0, 1e-20, 1, 1e18):
        x = np.tile(length * point, (90, 1)).astype(np.float32)
        assert evaluate_episodes(x, y, Episodes(20, 5, shots)).accuracy == 0


def test_equal_means_of_different_images_are_equal_whatever_the_rounding():
    x = np.array([0.1, 0.2, 0.3, 0.3, 0.2, 0.1], np.float32)
    x = np.concatenate([x, x])[:, np.newaxis]
    y = np.repeat([0, 1], 6)
    asked = Episodes(300, 2, shots=3)
    usable = class_indices(y)
    found = evaluate_episodes(x, y, asked).per_episode
    sums = [
        [round(float(x[rows[:3]].sum()), 3) for rows in draw(usable, asked, number)]
        for number in range(300)
    ]
    equal = np.array([one == other for one, other in sums])
    assert 20 < equal.sum() < 280
    assert (found[equal] == 0).all() and found[~equal].any()


@pytest.mark.parametrize("ways, shots", [(2, 1), (5, 1), (20, 5)])
def test_vectors_independent_of_the_classes_have_the_accuracy_of_chance(ways, shots):
    x = np.random.default_rng(0).normal(size=(4000, 8)).astype(np.float32)
    found = evaluate_episodes(x, np.arange(4000) % 200, Episodes(300, ways, shots))
    low, high = found.interval
    assert low - 0.005 < 1 / ways < high + 0.005 and high - low < 0.05


def test_the_length_of_the_vectors_does_not_matter():
    (x, y), asked = clouds([20] * 5), Episodes(50, shots=5)
    for length in (2.0**-70, 2.0**125):
        scaled = x * np.float32(length)
        assert np.isfinite(scaled).all()
        found = evaluate_episodes(scaled, y, asked).per_episode
        assert (found == evaluate_episodes(x, y, asked).per_episode).all()


def test_the_first_episodes_of_many_are_those_of_few_and_another_seed_gives_others():
    x, y = clouds([25] * 12)
    many, few = (evaluate_episodes(x, y, Episodes(n, 5, seed=4)).per_episode for n in (60, 20))
    assert many[:20].tolist() == few.tolist()
    assert many.tolist() == evaluate_episodes(x, y, Episodes(60, 5, seed=4)).per_episode.tolist()
    other = evaluate_episodes(x, y, Episodes(60, 5, seed=5)).per_episode
    assert (other != many).mean() > 0.5
    assert (other[:-1] != many[1:]).any()  # not the same episodes shifted by one


def test_another_order_of_the_images_gives_other_episodes_of_the_same_expected_accuracy():
    x, y = clouds([30] * 6)
    order = np.random.default_rng(1).permutation(len(y))
    one, other = (
        evaluate_episodes(*data, Episodes(400)) for data in ((x, y), (x[order], y[order]))
    )
    assert (one.per_episode != other.per_episode).any()
    assert one.interval[0] < other.interval[1] and other.interval[0] < one.interval[1]


def test_every_class_counts_the_same_however_few_its_queries():
    # The 15 queries at 0 are always right; the one at 1 or -1 never is, since it is nearer to 0.
    x = np.concatenate([np.zeros(100), [1, -1]])[:, np.newaxis]
    found = evaluate_episodes(x, np.repeat([0, 1], [100, 2]), Episodes(50, 2))
    assert (found.per_episode == 0.5).all() and found.queries_per_class == (1, 15)


def test_too_few_classes_are_refused_with_their_number():
    x, y = clouds([1, 2, 5, 5, 6, 9])
    with pytest.raises(RequestError, match=r"5-way 4-shot .* 5 images, but only 4 have as many$"):
        evaluate_episodes(x, y, Episodes(10, 5, shots=4))
    assert evaluate_episodes(x, y, Episodes(10, 4, shots=4)).left_out_labels == [-1, 2]


@pytest.mark.parametrize(
    "wrong", [{"episodes": 1}, {"ways": 1}, {"shots": 0}, {"queries_per_class": 0}, {"seed": -1}]
)
def test_numbers_that_are_too_small_are_refused_by_name(wrong):
    with pytest.raises(RequestError, match=f"^{next(iter(wrong))} must be at least "):
        Episodes(**{"episodes": 10} | wrong)
