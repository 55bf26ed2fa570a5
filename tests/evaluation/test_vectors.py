import tracemalloc
import warnings
from collections import Counter

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix
from sklearn.neighbors import NearestNeighbors

from tests.helpers.examples import examples
from triplet_train.evaluation import MetricTable, clustering, evaluate, pairs, retrieval_metrics
from triplet_train.evaluation.bootstrap import mean_intervals
from triplet_train.evaluation.classes import Confusion, confusions
from triplet_train.evaluation.clustering import nmi
from triplet_train.evaluation.metrics import METRICS, Shown, vote

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(120, 4)), RNG.integers(0, 6, 120) * 10
Y[7] = 5  # a class with one image
GALLERY, GALLERY_LABELS = RNG.normal(size=(70, 4)), RNG.integers(0, 5, 70) * 10
SIDES = {"leave-one-out": (X, Y), "gallery": (X, Y, GALLERY, GALLERY_LABELS)}


@pytest.fixture(params=SIDES)
def sides(request, monkeypatch):
    monkeypatch.setattr(pairs, "_BLOCK_BYTES", 4 * 120 * 9)
    return SIDES[request.param]


def test_neighbours_are_those_of_scikit_learn(sides):
    found = evaluate(*examples(*sides))
    gallery = sides[2] if len(sides) > 2 else X
    search = NearestNeighbors(n_neighbors=11, algorithm="brute").fit(gallery)
    distances, nearest = search.kneighbors(X[found.query_indices])
    first = 1 if gallery is X else 0
    np.testing.assert_array_equal(found.neighbours, nearest[:, first : first + 10])
    np.testing.assert_allclose(
        found.neighbour_distances, distances[:, first : first + 10], rtol=1e-6
    )
    assert found.neighbours.dtype == np.int64 and found.neighbour_distances.dtype == np.float32


def test_metrics_are_means_over_the_queries_that_are_named(sides):
    found = evaluate(*examples(*sides))
    assert retrieval_metrics(*examples(*sides)).items() <= found.metrics.items()
    for name, values in found.per_query.items():
        assert found.metrics[name] == pytest.approx(values.mean())
    labels = sides[-1]
    first = labels[found.neighbours[:, 0]] == Y[found.query_indices]
    np.testing.assert_array_equal(found.per_query["recall_at_1"], first)
    left_out = np.setdiff1d(np.arange(120), found.query_indices)
    assert found.left_out_labels == sorted(set(Y[left_out])) and 5 in found.left_out_labels


def test_the_nearest_five_vote_and_the_nearest_image_decides_between_equals(sides):
    found = evaluate(*examples(*sides))
    near = sides[-1][found.neighbours]
    slow = []
    for row in near[:, :5].tolist():
        votes = Counter(row)
        slow.append(max(row, key=lambda label: (votes[label], -row.index(label))))
    assert vote(near).tolist() == slow
    expected = np.array(slow) == Y[found.query_indices]
    np.testing.assert_array_equal(found.per_query["knn_accuracy"], expected)
    assert vote(np.array([[3, 1, 1, 3, 2, 1]])).tolist() == [3]
    assert vote(np.array([[2, 1]])).tolist() == [2]


def test_the_table_of_classes_holds_their_means_worst_first(sides):
    found = evaluate(*examples(*sides))
    for row in found.classes:
        of_class = Y[found.query_indices] == row.label
        assert row.queries == of_class.sum()
        assert len(row.metrics) == 5
        for name, value in row.metrics.items():
            assert value == pytest.approx(found.per_query[name][of_class].mean())
    worst_first = [row.metrics["map_at_r"] for row in found.classes]
    assert worst_first == sorted(worst_first)
    assert {row.label for row in found.classes} == set(Y[found.query_indices])


def test_confusions_are_those_of_the_nearest_image_most_first(sides):
    found = evaluate(*examples(*sides))
    labels, nearest = Y[found.query_indices], sides[-1][found.neighbours[:, 0]]
    matrix = confusion_matrix(labels, nearest, labels=np.arange(60))
    np.fill_diagonal(matrix, 0)
    expected = [
        Confusion(
            label, other, matrix[label, other], matrix[label, other] / (labels == label).sum()
        )
        for label, other in np.argwhere(matrix)
    ]
    expected.sort(key=lambda pair: (-pair.queries, -pair.share, pair.label, pair.mistaken_for))
    assert found.confusions == expected and len(expected) > 10


def test_confusions_of_60_000_classes_take_the_memory_of_the_pairs_that_occur():
    labels = np.arange(60_000)
    tracemalloc.start()
    found = confusions(labels, np.roll(labels, 1))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 100 * 2**20
    assert found[:2] == [Confusion(0, 59_999, 1, 1.0), Confusion(1, 0, 1, 1.0)]
    assert len(found) == 60_000
    assert confusions(labels, labels) == []


def test_the_same_vectors_are_always_evaluated_the_same_in_any_order(monkeypatch):
    order = np.random.default_rng(1).permutation(120)
    one, again = evaluate(*examples(X, Y)), evaluate(*examples(X, Y))
    monkeypatch.setattr(pairs, "_BLOCK_BYTES", 4 * 120 * 50)
    other = evaluate(*examples(X[order], Y[order]))
    assert (one.metrics, one.intervals) == (again.metrics, again.intervals)
    for name in one.metrics.keys() - {"nmi"}:  # k-means starts from images by their number
        assert other.metrics[name] == pytest.approx(one.metrics[name])
    assert other.thresholds == pytest.approx(one.thresholds)


def test_blocks_for_a_large_gallery_keep_as_many_queries_as_its_own_memory_allows(monkeypatch):
    monkeypatch.setattr(pairs, "_BLOCK_BYTES", 4 * 120)  # of one query
    monkeypatch.setattr(pairs, "_THREADS", 1)
    blocks = []
    pairs.make_pairs(*examples(X, Y)).each_strip(lambda strip, keys: None, blocks.append)
    # 4 dimensions and 2 squares of 8 bytes are the keys of 12 queries, of 4 bytes.
    assert blocks == [12] * 10


def test_intervals_are_of_the_headline_metrics_by_class_and_none_of_one_class():
    several = evaluate(*examples(X, Y))
    assert list(several.intervals) == [m.name for m in METRICS.shown_in(Shown.HEADLINE)]
    by_class = mean_intervals(several.per_query["map_at_r"][np.newaxis], Y[several.query_indices])
    assert several.intervals["map_at_r"] == pytest.approx(by_class[:, 0].clip(0, 1))
    one = evaluate(*examples(X[:1], Y[:1], X[1:], Y[1:]))
    assert one.intervals == {} and one.coverage.queries == 1 and "nmi" not in one.metrics


def test_nmi_is_1_where_clusters_are_classes_and_low_where_they_are_not():
    centres = 10 * np.random.default_rng(0).normal(size=(6, 4))
    labels = Y[Y != 5]
    assert nmi(centres[labels // 10] + 0.01 * X[Y != 5], labels) == pytest.approx(1)
    assert nmi(X, Y) < 0.3
    assert nmi(X, Y) == nmi(X, Y)


def test_nmi_of_many_classes_and_of_equal_vectors_is_computed_without_a_warning():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(150), 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert nmi(rng.normal(size=(150, 32))[labels], labels) > 0.9
        assert nmi(np.ones((20, 2)), np.arange(20) % 2) == 0


def test_nmi_that_takes_minutes_is_left_out_and_said_unless_it_is_asked_for(monkeypatch):
    monkeypatch.setattr(clustering, "_MOST_PRODUCTS", 1000)
    found = evaluate(*examples(X, Y))
    assert "nmi" not in found.metrics
    assert found.notes == [
        "nmi is left out, since k-means with 6 clusters takes minutes; to compute it, set "
        "evaluation.nmi=true"
    ]
    assert evaluate(*examples(X, Y), metrics=MetricTable(nmi=True)).metrics["nmi"] > 0


def test_a_gallery_smaller_than_ten_images_gives_as_many_neighbours():
    found = evaluate(*examples(X[:3], np.zeros(3, int), X[3:7], np.array([0, 1, 0, 1])))
    assert found.neighbours.shape == found.neighbour_distances.shape == (3, 4)
    assert found.metrics["precision_at_10"] == pytest.approx(0.2)
    pair = evaluate(*examples(np.eye(2), np.zeros(2, int)))
    assert pair.neighbours.tolist() == [[1], [0]]
    assert pair.neighbour_distances == pytest.approx(np.sqrt(2))


def test_no_printed_number_is_nan_or_infinite():
    for data in ((np.zeros((6, 2)), np.arange(6) % 2), (np.ones((4, 1)), np.zeros(4, int)), (X, Y)):
        found = evaluate(*examples(*data))
        assert np.isfinite(list(found.metrics.values())).all()
        assert np.isfinite(list(found.thresholds.values())).all()
        assert np.isfinite(found.neighbour_distances).all()
