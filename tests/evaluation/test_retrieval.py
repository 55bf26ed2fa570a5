import json

import numpy as np
import pytest

from triplet_train.errors import RequestError
from triplet_train.evaluation import retrieval, retrieval_figures

NAMES = {
    "precision_at_1": "recall_at_1",
    "r_precision": "r_precision",
    "mean_average_precision_at_r": "map_at_r",
    "mean_average_precision": "map",
    "mean_reciprocal_rank": "mrr",
}


def test_figures_are_those_of_pytorch_metric_learning(golden):
    cases = json.loads((golden / "pml_metrics.json").read_text())["cases"]
    arrays = np.load(golden / "pml_metrics.npz")
    for case in cases:
        name = case["case"]
        parts = ["embeddings", "labels"]
        if name.startswith("gallery"):
            parts = [f"{side}_{part}" for side in ("query", "gallery") for part in parts]
        ours = retrieval_figures(*(arrays[f"{name}_{part}"] for part in parts)).figures
        for theirs, figure in NAMES.items():
            assert ours[figure] == pytest.approx(case[theirs], abs=1e-6), (name, figure)
    assert len(cases) == 8


def slow_figures(x, y, gallery, gallery_labels, itself):
    """One query at a time, by the definitions."""
    rows = []
    depth = max(sum(gallery_labels == label) for label in y) - itself
    for i, (vector, label) in enumerate(zip(x, y, strict=True)):
        order = np.argsort(np.linalg.norm(gallery - vector, axis=1), kind="stable")
        order = [j for j in order if not (itself and j == i)]
        hits = [gallery_labels[j] == label for j in order]
        r = sum(hits)
        if not r:
            continue
        precisions = [sum(hits[: k + 1]) / (k + 1) if hit else 0 for k, hit in enumerate(hits)]
        first = hits.index(True)
        rows.append(
            [any(hits[:k]) for k in (1, 5, 10)]
            + [sum(hits[:r]) / r, sum(precisions[:r]) / r, sum(precisions[:depth]) / r]
            + [1 / (first + 1) if first < depth else 0]
        )
    return np.mean(rows, axis=0), len(rows)


@pytest.mark.parametrize("itself", [True, False])
def test_figures_equal_the_definitions_whatever_the_block(itself, monkeypatch):
    monkeypatch.setattr(retrieval, "_BLOCK_BYTES", 8 * 50 * 7)
    rng = np.random.default_rng(0)
    for classes in (2, 5, 30):
        x, y = rng.normal(size=(50, 3)), rng.integers(0, classes, 50)
        gallery, labels = (
            (x, y) if itself else (rng.normal(size=(40, 3)), rng.integers(0, classes, 40))
        )
        ours = retrieval_figures(x, y) if itself else retrieval_figures(x, y, gallery, labels)
        expected, judged = slow_figures(x, y, gallery, labels, itself)
        assert list(ours.figures.values()) == pytest.approx(expected.tolist())
        assert (ours.queries, ours.left_out) == (judged, 50 - judged)


def test_a_query_does_not_find_itself_even_among_equal_vectors():
    x, y = np.zeros((4, 2)), np.array([0, 1, 0, 1])
    figures = retrieval_figures(x, y)
    assert (
        figures.figures["recall_at_1"] == 0.25
    )  # row 2 finds row 0, the others a row of the other class


def test_queries_without_a_row_of_their_class_are_counted_and_left_out():
    x, y = np.array([[0.0], [0.1], [5.0]]), np.array([0, 0, 1])
    figures = retrieval_figures(x, y)
    assert (figures.queries, figures.left_out) == (2, 1)
    assert figures.figures["recall_at_1"] == 1


def test_what_cannot_be_judged_is_refused():
    with pytest.raises(RequestError, match="nothing to judge"):
        retrieval_figures(np.eye(3), np.arange(3))
    with pytest.raises(RequestError, match="3 dimensions and the gallery 2"):
        retrieval_figures(np.eye(3), np.arange(3), np.eye(2), np.arange(2))
