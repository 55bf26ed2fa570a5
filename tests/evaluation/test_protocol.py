"""Queries, gallery and ignored pairs, by the definitions and by fast-reid."""

import json

import numpy as np
import pytest

from triplet_train.evaluation import evaluate, make_examples, retrieval_metrics


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
        found = evaluate(queries, gallery)
        ours = retrieval_metrics(queries, gallery)
        for k in ("1", "5", "10"):
            assert ours[f"recall_at_{k}"] == pytest.approx(case["cmc"][k], abs=1e-6)
        assert ours["map"] == pytest.approx(case["map"], abs=1e-6)
        assert ours["minp"] == pytest.approx(case["minp"], abs=1e-6)
        assert found.coverage.queries == case["valid_queries"]
        assert found.coverage.distractors == len(distractors)
    assert len(cases) == 5
