import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.metrics import roc_auc_score, roc_curve

from tests.helpers.examples import examples
from triplet_train.evaluation import evaluate, pairs
from triplet_train.evaluation.metrics import METRICS, Source
from triplet_train.evaluation.pairs import make_pairs
from triplet_train.evaluation.search import search
from triplet_train.evaluation.verification import PairCounter, roc_of


def made(rows, classes, spread=0.8, seed=0, width=4):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, rows)
    centres = np.random.default_rng(99).normal(size=(classes, width))
    return centres[labels] + spread * rng.normal(size=(rows, width)), labels


def all_pairs(x, y, gallery=None, gallery_labels=None):
    """Distance of every pair, and whether it is of one class."""
    if gallery is None:
        first, second = np.triu_indices(len(x), 1)
        return cdist(x, x)[first, second], y[first] == y[second]
    return cdist(x, gallery).ravel(), (y[:, None] == gallery_labels).ravel()


def pair_counts(*data):
    who = make_pairs(*examples(*data))
    counter = PairCounter(who)
    search(who, lambda queries: None, counter.see)
    return counter.counts()


def cases():
    x, y = made(300, 5)
    yield "leave-one-out", (x, y)
    yield "gallery", (*made(90, 5), *made(150, 5, seed=1))
    yield "other classes in the gallery", (*made(60, 3), *made(150, 7, seed=1))
    yield "unit vectors", (x / np.linalg.norm(x, axis=1, keepdims=True), y)
    yield "long vectors", (1e9 * x, y)
    yield "one far away", (np.vstack([x, np.full((1, 4), 1e6)]), np.append(y, 0))
    yield "many dimensions", made(200, 4, width=128)
    yield "classes of two", made(200, 100)
    yield "whole numbers", (np.round(x), y)


CASES = dict(cases())


@pytest.mark.parametrize("case", CASES)
def test_metrics_and_thresholds_are_those_of_all_pairs(case, monkeypatch):
    monkeypatch.setattr(pairs, "_BLOCK_BYTES", 4 * 300 * 37)
    distances, same = all_pairs(*CASES[case])
    counts = pair_counts(*CASES[case])
    assert (counts.positive.sum(), counts.negative.sum()) == (same.sum(), (~same).sum())
    roc = roc_of(counts)
    metrics = {metric.name: metric.compute(roc) for metric in METRICS.computed_from(Source.PAIRS)}
    thresholds = roc.thresholds(METRICS.false_accept_rates)

    exact = np.sqrt(
        np.float32(distances**2), dtype=np.float64
    )  # rounded as in the package, so that ties are the same
    fpr, tpr, _ = roc_curve(same, -exact, drop_intermediate=False)
    auc = roc_auc_score(same, -exact)
    bound = (counts.positive * counts.negative).sum() / 2 / same.sum() / (~same).sum()
    assert abs(metrics["roc_auc"] - auc) <= min(bound + 1e-7, 1e-5)
    along = np.linspace(0, 1, 100_001)
    crossing = along[np.argmin(np.abs(np.interp(along, fpr, tpr) - (1 - along)))]
    assert metrics["eer"] == pytest.approx(crossing, abs=2e-5)

    def rates(threshold):
        accepted = distances <= threshold
        return (accepted & ~same).sum() / (~same).sum(), (accepted & same).sum() / same.sum()

    for name, limit in (("1e-2", 1e-2), ("1e-3", 1e-3)):
        reached = metrics[f"tpr_at_fpr_{name}"]
        assert reached == pytest.approx(tpr[fpr <= limit].max(), abs=1 / same.sum())
        if f"fpr_{name}" in thresholds:
            threshold = thresholds[f"fpr_{name}"]
            wrong, right = rates(threshold * (1 - 1e-6))
            assert wrong <= limit and right == pytest.approx(reached, abs=2e-4)
            assert rates(threshold * (1 + 1e-5))[0] > limit  # it is the largest
    wrong, right = rates(thresholds["eer"] * (1 - 1e-6))
    assert wrong <= 1 - right + 1e-9
    wrong, right = rates(thresholds["eer"] * (1 + 1e-5))
    assert wrong > 1 - right - 1e-9


def test_with_few_different_pairs_the_threshold_lets_none_of_them_pass():
    gallery = np.array([[1.0], [2.0], [3.0], [4.0], [2.5]])
    found = evaluate(*examples(np.zeros((1, 1)), np.array([0]), gallery, np.array([0, 0, 0, 0, 1])))
    assert found.metrics["tpr_at_fpr_1e-3"] == found.metrics["tpr_at_fpr_1e-2"] == 0.5
    assert found.thresholds["fpr_1e-3"] == pytest.approx(2.5) and found.thresholds["fpr_1e-3"] < 2.5


def test_a_threshold_lets_exactly_as_many_different_pairs_pass_as_are_allowed():
    gallery = np.concatenate([[0.5, 1.5, 2.5], 1 + np.arange(100)])[:, np.newaxis]
    labels = np.array([0] * 3 + [1] * 100)
    found = evaluate(*examples(np.zeros((1, 1)), np.array([0]), gallery, labels))
    assert 1.5 < found.thresholds["fpr_1e-2"] < 2 and 0.5 < found.thresholds["fpr_1e-3"] < 1
    assert found.metrics["tpr_at_fpr_1e-2"] == pytest.approx(2 / 3)
    assert found.metrics["tpr_at_fpr_1e-3"] == pytest.approx(1 / 3)


def test_a_pair_of_different_classes_at_the_threshold_s_edge_does_not_pass():
    # sqrt(2) is where a bin begins.
    found = evaluate(*examples(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), np.array([0, 0, 1])))
    assert 1.414 < found.thresholds["fpr_1e-3"] < np.sqrt(2.0)


def test_well_separated_classes_are_verified_without_error():
    x = np.array([[0.0], [0.1], [5.0], [5.1]])
    found = evaluate(*examples(x, np.array([0, 0, 1, 1])))
    assert (found.metrics["roc_auc"], found.metrics["eer"]) == (1, 0)
    assert found.metrics["tpr_at_fpr_1e-3"] == 1
    assert all(0.1 < threshold < 4.9 for threshold in found.thresholds.values())
    assert len(found.thresholds) == 4


def test_no_threshold_separates_equal_vectors():
    found = evaluate(*examples(np.ones((20, 3)), np.arange(20) % 2))
    assert (found.metrics["roc_auc"], found.metrics["eer"]) == (0.5, 0.5)
    assert found.metrics["tpr_at_fpr_1e-2"] == found.metrics["tpr_at_fpr_1e-3"] == 0
    assert found.thresholds == {}
    assert found.distances.positive.sum() == 90 and np.isfinite(found.distances.edges).all()


def test_without_pairs_of_different_classes_there_are_no_such_metrics():
    found = evaluate(*examples(np.random.default_rng(0).normal(size=(20, 3)), np.zeros(20, int)))
    assert not {"roc_auc", "eer", "tpr_at_fpr_1e-2", "nmi"} & found.metrics.keys()
    assert found.thresholds == {} and found.distances.negative.sum() == 0
    assert found.metrics["recall_at_1"] == 1


@pytest.mark.parametrize("case", ["leave-one-out", "gallery"])
def test_histograms_hold_every_pair_in_bins_of_equal_width(case):
    distances, same = all_pairs(*CASES[case])
    drawn = evaluate(*examples(*CASES[case])).distances
    assert drawn.edges[0] == 0 and drawn.edges[-1] == pytest.approx(distances.max(), rel=1e-5)
    for ours, part in ((drawn.positive, same), (drawn.negative, ~same)):
        exact, _ = np.histogram(distances[part], drawn.edges)
        assert ours.dtype == np.int64 and ours.sum() == part.sum()
        assert np.abs(ours - exact).sum() <= 1e-3 * part.sum()
