"""Verification of listed pairs, compared with plain loops and with scikit-learn."""

from itertools import pairwise

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.model_selection import StratifiedKFold

from triplet_train.errors import RequestError
from triplet_train.evaluation import pair_list
from triplet_train.evaluation.pair_list import count_pairs, evaluate_pairs, pair_distances
from triplet_train.evaluation.thresholds import most_accurate


def made(seed, pairs=240, decimals=3):
    """Distances with ties, in which pairs of one class are nearer on average."""
    rng = np.random.default_rng(seed)
    same = rng.random(pairs) < 0.5
    return np.round(np.abs(rng.normal(np.where(same, 0.6, 1.2), 0.4)), decimals), same


def accuracy(distances, same, threshold):
    right = sum((d <= threshold) == s for d, s in zip(distances, same, strict=True))
    return right / len(same)


def slow_threshold(distances, same):
    """Try a threshold in each gap between distances; of the best the largest."""
    levels = sorted(set(distances))
    middles = [(a + b) / 2 for a, b in pairwise(levels)]
    tried = [levels[0] - 1, *middles, levels[-1]]
    return max(tried, key=lambda threshold: (accuracy(distances, same, threshold), threshold))


def slow_accuracies(distances, same, folds):
    found = {}
    for fold in dict.fromkeys(folds):
        inside = np.array([name == fold for name in folds])
        threshold = slow_threshold(distances[~inside], same[~inside])
        found[fold] = accuracy(distances[inside], same[inside], threshold)
    return found


@pytest.mark.parametrize("decimals", [0, 1, 9])
@pytest.mark.parametrize("seed", range(3))
def test_each_fold_is_tested_with_the_best_threshold_of_the_others(seed, decimals):
    distances, same = made(seed, 120, decimals)
    folds = [f"fold {number}" for number in np.random.default_rng(seed).integers(0, 6, 120)]
    found = evaluate_pairs(distances, same, folds)
    expected = slow_accuracies(distances, same, folds)
    assert {fold.name: fold.accuracy for fold in found.folds} == pytest.approx(expected)
    assert [fold.name for fold in found.folds] == list(expected)
    assert sum(fold.pairs for fold in found.folds) == 120
    values = list(expected.values())
    assert found.metrics["accuracy"] == pytest.approx(np.mean(values))
    deviation = sum((value - np.mean(values)) ** 2 for value in values) / (len(values) - 1)
    assert found.standard_error == pytest.approx(np.sqrt(deviation) / np.sqrt(len(values)))


@pytest.mark.parametrize("decimals", [0, 1, 9])
def test_the_metrics_of_all_pairs_are_those_of_scikit_learn(decimals):
    distances, same = made(5, 400, decimals)
    found = evaluate_pairs(distances, same)
    fpr, tpr, _ = roc_curve(same, -distances, drop_intermediate=False)
    assert (found.roc.fpr, found.roc.tpr) == (pytest.approx(fpr), pytest.approx(tpr))
    assert found.metrics["roc_auc"] == pytest.approx(roc_auc_score(same, -distances))
    for name, limit in (("1e-2", 1e-2), ("1e-3", 1e-3)):
        reached = tpr[fpr <= limit].max()
        assert found.metrics[f"tpr_at_fpr_{name}"] == pytest.approx(reached)
        if f"fpr_{name}" in found.thresholds:
            accepted = distances <= found.thresholds[f"fpr_{name}"]
            assert accepted[same].mean() == pytest.approx(reached)
            assert accepted[~same].mean() <= limit
    assert found.thresholds["accuracy"] == pytest.approx(slow_threshold(distances, same))


def test_without_folds_the_order_of_lfw_gives_its_own_ten():
    same = np.tile(np.repeat([True, False], 300), 10)
    distances, _ = made(0, 6000)
    given = [str(fold + 1) for fold in np.repeat(np.arange(10), 600)]
    assert evaluate_pairs(distances, same).folds == evaluate_pairs(distances, same, given).folds


def test_without_folds_each_has_its_share_of_both_kinds_in_any_order():
    same = np.repeat([True, False], [57, 203])
    _, places = pair_list._folds_of(same, None)
    for kind in (same, ~same):
        assert np.ptp(np.bincount(places[kind], minlength=10)) <= 1
    same = np.repeat([True, False], [50, 200])
    _, places = pair_list._folds_of(same, None)
    tests = StratifiedKFold(10).split(same, same)
    assert [np.flatnonzero(places == at).tolist() for at in range(10)] == [
        test.tolist() for _, test in tests
    ]


def test_few_pairs_make_as_many_folds_as_the_rarer_kind_has():
    distances, same = np.arange(9.0), np.arange(9) < 3
    assert [fold.pairs for fold in evaluate_pairs(distances, same).folds] == [3, 3, 3]


def test_kinds_that_are_apart_are_told_right_by_a_threshold_in_the_middle():
    distances, same = np.repeat([0.25, 0.75], 20), np.repeat([True, False], 20)
    found = evaluate_pairs(distances, same)
    assert found.metrics["accuracy"] == found.metrics["roc_auc"] == 1
    assert found.standard_error == found.metrics["eer"] == 0
    assert {fold.threshold for fold in found.folds} == {found.thresholds["accuracy"]} == {0.5}


def test_a_collapsed_tower_is_as_good_as_a_guess():
    same = np.arange(40) % 2 == 0
    found = evaluate_pairs(np.zeros(40), same)
    assert (found.metrics["accuracy"], found.metrics["roc_auc"]) == (0.5, 0.5)
    assert found.metrics["tpr_at_fpr_1e-2"] == 0 and found.thresholds == {"accuracy": 0}


def test_more_different_pairs_at_distance_0_leave_no_threshold():
    same = np.arange(40) % 4 == 0
    found = evaluate_pairs(np.zeros(40), same)
    assert found.metrics["accuracy"] == 0.75 and found.thresholds == {}
    assert most_accurate(count_pairs(np.zeros(40), same)) < 0


@pytest.mark.parametrize(
    ("same", "folds", "message"),
    [
        ([True, True], None, "all pairs are same"),
        ([False, False], None, "all pairs are different"),
        ([True, False], None, "at least two pairs of each kind"),
        ([True, False], ["x", "x"], "all pairs are in fold 'x'"),
    ],
)
def test_too_little_to_choose_a_threshold_on_is_refused(same, folds, message):
    with pytest.raises(RequestError, match=message):
        evaluate_pairs(np.array([0.5, 1.0]), np.array(same), folds)


@pytest.mark.parametrize("scale", [1, 1e-20, 1e37])
def test_distances_of_pairs_are_those_of_numpy_in_any_block(monkeypatch, scale):
    monkeypatch.setattr(pair_list, "_BLOCK_VALUES", 50)
    rng = np.random.default_rng(0)
    vectors, others = (scale * rng.normal(size=(rows, 8)) for rows in (20, 30))
    vectors, others = vectors.astype(np.float32), others.astype(np.float32)
    others[3] = vectors[4]
    rows = np.append(rng.integers(0, 20, 100), 4)
    other_rows = np.append(rng.integers(0, 30, 100), 3)
    found = pair_distances(vectors, others, rows, other_rows)
    apart = np.float64(vectors[rows]) - np.float64(others[other_rows])
    assert found == pytest.approx(np.linalg.norm(apart, axis=1), rel=1e-7)
    assert found[-1] == 0
    assert (found == pair_distances(others, vectors, other_rows, rows)).all()
