"""Queries, gallery and ignored pairs: by fast-reid, and by a plain loop."""

import json
from collections import Counter
from itertools import product

import numpy as np
import pytest

from triplet_train.errors import RequestError
from triplet_train.evaluation import (
    coverage_of,
    evaluate,
    make_examples,
    make_protocol,
    pairs,
    retrieval_metrics,
    search,
)


def test_re_identification_is_that_of_fast_reid(golden):
    cases = json.loads((golden / "reid.json").read_text())["cases"]
    arrays = np.load(golden / "reid.npz")
    for case in cases:

        def part(name, case=case):
            return arrays[f"{case['case']}_{name}"]

        queries = make_examples(*map(part, ("query_embeddings", "query_labels", "query_groups")))
        distractors = part("distractor_embeddings")
        gallery = make_examples(
            np.concatenate([part("gallery_embeddings"), distractors]),
            np.append(part("gallery_labels"), np.full(len(distractors), -1)),
            np.append(part("gallery_groups"), part("distractor_groups")),
        )
        ours = retrieval_metrics(queries, gallery)
        for k in ("1", "5", "10"):
            assert ours[f"recall_at_{k}"] == pytest.approx(case["cmc"][k], abs=1e-6)
        assert ours["map"] == pytest.approx(case["map"], abs=1e-6)
        assert ours["minp"] == pytest.approx(case["minp"], abs=1e-6)
        counts = coverage_of(make_protocol(queries, gallery))
        assert counts.queries == case["valid_queries"]
        assert counts.distractors == len(distractors)
    assert len(cases) == 5


def drawn(rng, rows, ties):
    """Examples with groups, roles, distractors, and classes without any image."""
    roles = (
        rng.choice(3, rows, p=rng.dirichlet([1, 1, 1])) if rng.random() < 0.7 else np.full(rows, 2)
    )
    labels = rng.choice([0, 3, 4, 9], rows, p=rng.dirichlet(np.ones(4)))
    labels[rng.random(rows) < 0.2] = -1
    vectors = rng.normal(size=(rows, 2))
    return make_examples(
        np.round(2 * vectors) if ties else vectors,
        labels,
        rng.integers(-1, rng.integers(0, 4), rows),
        roles != 1,
        roles != 0,
    )


def slow(queries, gallery):
    """Rankings of (distance, is of the class, index) by query: evaluated, and left out.

    Left out are queries without an image of their class, and with such images of their group only.
    """
    searched = queries if gallery is None else gallery
    evaluated, without_class, own_group_only = {}, {}, {}
    for q, label in enumerate(queries.labels):
        if label < 0 or not queries.is_query[q]:
            continue
        row, of_class = [], 0
        for g, other in enumerate(searched.labels):
            left_out = gallery is None and other < 0 and queries.is_query[g]
            if not searched.is_gallery[g] or left_out or (gallery is None and g == q):
                continue
            of_class += label == other
            group = queries.groups[q]
            if label == other and group >= 0 and group == searched.groups[g]:
                continue
            distance = np.square(queries.vectors[q] - searched.vectors[g]).sum()
            row.append((distance, label == other, g))
        left_out = own_group_only if of_class else without_class
        (evaluated if any(hit for _, hit, _ in row) else left_out)[q] = sorted(row)
    return evaluated, without_class, own_group_only


def slow_metrics(ranking, label, labels):
    hits = [hit for _, hit, _ in ranking]
    places = [place for place, hit in enumerate(hits, 1) if hit]
    r = len(places)
    precisions = [n / place for n, place in enumerate(places, 1)]
    near = [labels[g] if labels[g] >= 0 else -1 - g for _, _, g in ranking[:5]]
    votes = Counter(near)
    return {
        **{f"recall_at_{k}": float(any(hits[:k])) for k in (1, 5, 10)},
        **{f"precision_at_{k}": sum(hits[:k]) / k for k in (5, 10)},
        "r_precision": sum(hits[:r]) / r,
        "map_at_r": sum(p for p, place in zip(precisions, places, strict=True) if place <= r) / r,
        "map": sum(precisions) / r,
        "mrr": 1 / places[0],
        "minp": r / places[-1],
        "knn_accuracy": float(max(near, key=lambda one: (votes[one], -near.index(one))) == label),
    }


def slow_roc(same, other):
    wins = sum((a < b) + (a == b) / 2 for a, b in product(same, other))
    values = {"roc_auc": wins / len(same) / len(other)}
    for name, limit in (("1e-2", 1e-2), ("1e-3", 1e-3)):
        allowed = [t for t in {-1, *same} if sum(d <= t for d in other) <= limit * len(other)]
        values[f"tpr_at_fpr_{name}"] = sum(d <= max(allowed) for d in same) / len(same)
    return values


def check(seed, monkeypatch):
    """Compare an evaluation with the loop; return the special cases that it holds."""
    rng = np.random.default_rng(seed)
    monkeypatch.setattr(pairs, "_BLOCK_ROWS", int(rng.integers(1, 9)))
    monkeypatch.setattr(pairs, "_STRIP_BYTES", int(rng.integers(1, 500)))
    monkeypatch.setattr(pairs, "_PRODUCT_BYTES", int(rng.integers(1, 2000)))
    monkeypatch.setattr(search, "_FEW_RELEVANT", 3 * (seed % 5))
    ties = bool(seed % 2)
    queries = drawn(rng, rng.integers(1, 40), ties)
    gallery = drawn(rng, rng.integers(1, 60), ties) if seed % 3 else None
    rankings, without_class, own_group_only = slow(queries, gallery)
    if not rankings:
        with pytest.raises(RequestError, match="so there is nothing to evaluate"):
            evaluate(queries, gallery)
        return {"refused"}
    found = evaluate(queries, gallery)
    labels = (queries if gallery is None else gallery).labels
    every = [*rankings.values(), *without_class.values(), *own_group_only.values()]
    k = min(10, max(map(len, every)))
    assert found.neighbours.shape == (len(rankings), k)
    assert found.query_indices.tolist() == list(rankings)
    assert found.coverage.queries_without_their_class == len(without_class)
    assert found.coverage.queries_with_own_group_only == len(own_group_only)
    assert found.left_out_labels == sorted({queries.labels[q] for q in without_class})
    for place, (q, ranking) in enumerate(rankings.items()):
        expected = slow_metrics(ranking, queries.labels[q], labels)
        assert {name: each[place] for name, each in found.per_query.items()} == pytest.approx(
            expected
        )
        nearest = [g for _, _, g in ranking[:k]]
        missing = k - len(nearest)
        assert found.neighbours[place].tolist() == nearest + [-1] * missing
        np.testing.assert_array_equal(
            found.neighbour_labels[place], [*labels[nearest], *[-1] * missing]
        )
        distances = np.sqrt([d for d, _, _ in ranking[:k]])
        np.testing.assert_allclose(
            found.neighbour_distances[place], [*distances, *[np.inf] * missing], atol=1e-6
        )
    same, other = (
        [distance for ranking in every for distance, hit, _ in ranking if bool(hit) is of]
        for of in (True, False)
    )
    each = 2 if found.leave_one_out else 1
    counted = found.distances.positive.sum(), found.distances.negative.sum()
    assert counted == (len(same) / each, len(other) / each)
    if other:
        for name, value in slow_roc(same, other).items():
            assert found.metrics[name] == pytest.approx(value, abs=1e-6), name
    cases = {
        "all search all others": found.leave_one_out,
        "lone classes": without_class,
        "groups of whole classes": own_group_only,
        "distractors": found.coverage.distractors,
        "ignored pairs": found.coverage.ignored_pairs,
        "few to search": (found.neighbours < 0).any(),
    }
    return {name for name, there in cases.items() if there}


def test_groups_roles_distractors_and_ties_drawn_at_random_are_evaluated_by_the_definitions(
    monkeypatch,
):
    cases = Counter(case for seed in range(50) for case in check(seed, monkeypatch))
    assert len(cases) == 7 and min(cases.values()) >= 2, cases


def test_500_distractors_nearer_than_the_positives_worsen_every_metric():
    labels = np.repeat(np.arange(10), 3)
    away = np.eye(10)[labels] + 0.01 * np.random.default_rng(0).normal(size=(30, 10))
    queries, near = make_examples(0.1 * away, labels), np.zeros((500, 10))
    gallery = make_examples(away, labels)
    more = make_examples(np.concatenate([away, near]), np.append(labels, np.full(500, -1)))
    before, after = evaluate(queries, gallery).metrics, evaluate(queries, more).metrics
    assert before.pop("nmi") == after.pop("nmi")  # of the queries alone
    assert before.pop("eer") < after.pop("eer")
    for name, value in before.items():
        assert after[name] < value, name
    assert after["recall_at_10"] == after["knn_accuracy"] == after["map_at_r"] == 0
