"""Thresholds that are chosen on some pairs, and their errors on others."""

import numpy as np
import pytest

from tests.helpers.examples import examples
from triplet_train.errors import RequestError
from triplet_train.evaluation import evaluate
from triplet_train.evaluation.pair_list import count_pairs
from triplet_train.evaluation.thresholds import errors_of, thresholds_of


def clouds(seed):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(12), 10)
    return rng.normal(size=(12, 6))[labels] + 0.7 * rng.normal(size=(120, 6)), labels


def all_pairs(vectors, labels):
    first, second = np.triu_indices(len(labels), 1)
    distances = np.linalg.norm(vectors[first] - vectors[second], axis=1)
    return distances, labels[first] == labels[second]


def test_errors_of_thresholds_are_those_of_a_loop_over_all_pairs():
    thresholds = evaluate(*examples(*clouds(0))).thresholds
    assert set(thresholds) == {"eer", "fpr_1e-2", "fpr_1e-3", "accuracy"}
    other = clouds(1)
    found = errors_of(thresholds, evaluate(*examples(*other)).pairs)
    assert [given.name for given in found] == list(thresholds)
    distances, same = all_pairs(*other)
    for given in found:
        passed = [distance <= given.threshold for distance in distances]
        wrong = [p for p, s in zip(passed, same, strict=True) if not s]
        missed = [not p for p, s in zip(passed, same, strict=True) if s]
        assert given.threshold == thresholds[given.name]
        assert given.false_accept_rate == sum(wrong) / len(wrong)
        assert given.false_reject_rate == pytest.approx(sum(missed) / len(missed), abs=1e-12)
        assert given.accuracy == 1 - (sum(wrong) + sum(missed)) / len(same)


def test_a_threshold_has_on_its_own_pairs_the_errors_that_chose_it():
    result = evaluate(*examples(*clouds(2)))
    by_name = {given.name: given for given in errors_of(result.thresholds, result.pairs)}
    assert by_name["eer"].false_accept_rate == pytest.approx(result.metrics["eer"], abs=2e-3)
    for name, limit in (("1e-2", 1e-2), ("1e-3", 1e-3)):
        given = by_name[f"fpr_{name}"]
        assert given.false_accept_rate <= limit
        assert 1 - given.false_reject_rate == pytest.approx(result.metrics[f"tpr_at_fpr_{name}"])
    assert by_name["accuracy"].accuracy == max(given.accuracy for given in by_name.values())


def test_a_distance_equal_to_the_threshold_passes():
    counts = count_pairs(np.array([0.5, 0.5, 1.0]), np.array([True, False, False]))
    (given,) = errors_of({"eer": 0.5}, counts)
    assert (given.false_accept_rate, given.false_reject_rate) == (0.5, 0)
    (given,) = errors_of({"eer": np.nextafter(0.5, 0)}, counts)
    assert (given.false_accept_rate, given.false_reject_rate) == (0, 1)


def test_pairs_of_one_kind_have_no_thresholds_and_no_errors():
    counts = count_pairs(np.array([0.5, 0.7]), np.array([True, True]))
    assert thresholds_of(counts, [1e-2]) == {} and errors_of({}, counts) == []
    with pytest.raises(RequestError, match="need pairs of one class and of two"):
        errors_of({"eer": 0.6}, counts)
