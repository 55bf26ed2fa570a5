import json
import subprocess
import sys

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.metrics import average_precision_score

from tests.helpers.examples import examples
from triplet_train.errors import RequestError
from triplet_train.evaluation import Coverage, evaluate, pairs, retrieval_metrics

NAMES = {
    "precision_at_1": "recall_at_1",
    "r_precision": "r_precision",
    "mean_average_precision_at_r": "map_at_r",
    "mean_average_precision": "map",
    "mean_reciprocal_rank": "mrr",
}


def test_metrics_are_those_of_pytorch_metric_learning(golden):
    cases = json.loads((golden / "full_ranking.json").read_text())["cases"]
    arrays = np.load(golden / "full_ranking.npz")
    for case in cases:
        name = case["case"]
        parts = ["embeddings", "labels"]
        if name.startswith("gallery"):
            parts = [f"{side}_{part}" for side in ("query", "gallery") for part in parts]
        ours = retrieval_metrics(*examples(*(arrays[f"{name}_{part}"] for part in parts)))
        for theirs, metric in NAMES.items():
            assert ours[metric] == pytest.approx(case[theirs], abs=1e-6), (name, metric)
    assert len(cases) == 8


def slow_metrics(x, y, gallery, gallery_labels, itself):
    """One query at a time, by the definitions."""
    rows = []
    for i, (vector, label) in enumerate(zip(x, y, strict=True)):
        others = [j for j in range(len(gallery)) if not (itself and j == i)]
        # At ties, images of other classes come first.
        ranking = sorted(
            (np.linalg.norm(gallery[j] - vector), gallery_labels[j] == label) for j in others
        )
        hits = [hit for _, hit in ranking]
        r = sum(hits)
        if not r:
            continue
        precisions = [sum(hits[: k + 1]) / (k + 1) if hit else 0 for k, hit in enumerate(hits)]
        first = hits.index(True)
        rows.append(
            [any(hits[:k]) for k in (1, 5, 10)]
            + [sum(hits[:k]) / k for k in (5, 10)]
            + [sum(hits[:r]) / r, sum(precisions[:r]) / r, sum(precisions) / r, 1 / (first + 1)]
            + [r / (max(k for k, hit in enumerate(hits) if hit) + 1)]
        )
    return np.mean(rows, axis=0), len(rows)


@pytest.mark.parametrize("ties", [True, False])
@pytest.mark.parametrize("rows", [7, 40])
@pytest.mark.parametrize("itself", [True, False])
def test_metrics_equal_the_definitions_whatever_the_block(itself, rows, ties, monkeypatch):
    monkeypatch.setattr(pairs, "_BLOCK_BYTES", 4 * 50 * 7)
    monkeypatch.setattr(pairs, "_PRODUCT_BYTES", 1)  # the fewest columns at a time
    rng = np.random.default_rng(0)
    for classes in (1, 2, 5, 30):
        x, y = rng.normal(size=(50, 3)), rng.integers(0, classes, 50)
        gallery, labels = (
            (x, y) if itself else (rng.normal(size=(rows, 3)), rng.integers(0, classes, rows))
        )
        if ties:
            x, gallery = np.round(x), np.round(gallery)
        given = (x, y) if itself else (x, y, gallery, labels)
        expected, queries = slow_metrics(x, y, gallery, labels, itself)
        assert list(retrieval_metrics(*examples(*given)).values()) == pytest.approx(
            expected.tolist()
        )
        counts = evaluate(*examples(*given)).coverage
        assert (counts.queries, counts.queries_without_their_class) == (queries, 50 - queries)


def test_map_is_the_average_precision_of_scikit_learn_over_the_whole_gallery():
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat(np.arange(12), [1, 1, 2, 2, 3, 3, 4, 5, 6, 8, 10, 15]))
    x = rng.normal(size=(60, 4))
    distances, same = cdist(x, x), y[:, np.newaxis] == y
    kept = ~np.eye(60, dtype=bool)
    slow = [
        average_precision_score(same[i][kept[i]], -distances[i][kept[i]])
        for i in range(60)
        if same[i].sum() > 1
    ]
    found = evaluate(*examples(x, y))
    assert found.metrics["map"] == pytest.approx(np.mean(slow))
    assert found.coverage == Coverage(58, 10, 2, 2, gallery_images=60)


@pytest.mark.parametrize("length", [1e-30, 1e-3, 1e18])
def test_the_length_of_the_vectors_does_not_matter(length):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 5)).astype(np.float32), rng.integers(0, 4, 60)
    scaled = x * np.float32(2.0 ** np.round(np.log2(length)))
    assert retrieval_metrics(*examples(scaled, y)) == retrieval_metrics(*examples(x, y))


def test_ties_rank_images_of_other_classes_first():
    x, y = np.array([[0.0], [1.0], [-1.0], [3.0], [-3.0]]), np.array([0, 0, 1, 0, 1])
    found = retrieval_metrics(*examples(x[:1], y[:1], x[1:], y[1:]))  # ranks: 1, 0, 1, 0
    assert (found["recall_at_1"], found["mrr"], found["map"]) == (0, 0.5, 0.5)


@pytest.mark.parametrize("rows, width", [(40, 2), (999, 64), (640, 2048)])
def test_a_tower_that_maps_all_images_to_one_point_finds_nothing(rows, width):
    point = np.random.default_rng(0).normal(size=width).astype(np.float32)
    for vector in (point, np.full(width, 1 / 3, np.float32)):
        metrics = retrieval_metrics(*examples(np.tile(vector, (rows, 1)), np.arange(rows) % 10))
        assert metrics["recall_at_1"] == metrics["recall_at_10"] == metrics["map_at_r"] == 0
        # Its own class comes last, which bounds MAP and MRR.
        others = np.mean([(np.arange(rows) % 10 != label).sum() for label in np.arange(rows) % 10])
        assert metrics["mrr"] == pytest.approx(1 / (others + 1), rel=1e-2)


def test_equal_vectors_of_another_class_come_first_whatever_the_rounding():
    vectors = np.random.default_rng(0).normal(size=(300, 64)).astype(np.float32)
    x, y = np.tile(vectors, (3, 1)), np.repeat([0, 0, 1], 300) * 300 + np.tile(np.arange(300), 3)
    found = evaluate(*examples(x, y))
    assert found.coverage == Coverage(600, 300, 300, 300, gallery_images=900)
    assert found.metrics["recall_at_1"] == 0 and found.metrics["recall_at_5"] == 1
    assert found.metrics["map"] == found.metrics["mrr"] == 0.5


def test_a_query_finds_its_equal_but_never_itself():
    metrics = retrieval_metrics(*examples(np.array([[0.0], [0.0], [9.0]]), np.array([0, 0, 0])))
    assert metrics["recall_at_1"] == 1
    metrics = retrieval_metrics(*examples(np.array([[0.0], [1.0], [9.0]]), np.array([0, 1, 0])))
    assert metrics["recall_at_1"] == 0


def test_queries_without_an_image_of_their_class_are_counted_and_left_out():
    x, y = np.array([[0.0], [0.1], [5.0]]), np.array([0, 0, 1])
    found = evaluate(*examples(x, y))
    assert found.coverage == Coverage(2, 1, 1, 1, gallery_images=3)
    assert found.metrics["recall_at_1"] == 1


def test_vectors_that_cannot_be_evaluated_are_refused():
    with pytest.raises(RequestError, match="no two images share a class"):
        retrieval_metrics(*examples(np.eye(3), np.arange(3)))
    with pytest.raises(RequestError, match="no query has an image of its class in the g"):
        retrieval_metrics(*examples(np.eye(3), np.arange(3), np.eye(3), np.arange(3, 6)))
    with pytest.raises(RequestError, match="3 dimensions and the gallery 2"):
        retrieval_metrics(*examples(np.eye(3), np.arange(3), np.eye(2), np.arange(2)))
    with pytest.raises(RequestError, match="not finite"):
        retrieval_metrics(*examples(np.full((3, 2), np.nan), np.zeros(3, int)))


def test_evaluation_begins_without_modules_that_take_long_to_import():
    code = """import sys
import triplet_train.jobs.evaluate.files
sys.exit(any(name in sys.modules for name in ("matplotlib", "scipy", "sklearn", "tensorflow")))"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
