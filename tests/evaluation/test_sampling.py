"""A sample of the queries estimates the metrics of all."""

import numpy as np
import pytest

from triplet_train.evaluation import (
    evaluate,
    make_examples,
    make_protocol,
    retrieval_metrics,
    with_sampled_queries,
)

RNG = np.random.default_rng(0)
LABELS = np.append(RNG.integers(0, 20, 298), [20, -1])  # the last two are never evaluated
EXAMPLES = make_examples(RNG.normal(size=(300, 4)), LABELS)
WITH_ROLES = make_examples(
    EXAMPLES.vectors,
    LABELS,
    RNG.integers(-1, 3, 300),
    is_query=np.arange(300) % 3 != 0,
    is_gallery=np.arange(300) % 3 != 1,
)


@pytest.mark.parametrize("examples", [EXAMPLES, WITH_ROLES], ids=["leave one out", "roles"])
def test_the_metrics_of_a_sample_are_the_means_over_its_queries_in_the_whole_gallery(examples):
    sample = with_sampled_queries(examples, 60, seed=3)
    every, some = evaluate(examples), evaluate(sample)
    assert len(some.query_indices) == some.coverage.queries == 60
    assert some.coverage.gallery_images == every.coverage.gallery_images
    assert some.left_out_labels == every.left_out_labels
    places = np.searchsorted(every.query_indices, some.query_indices)
    assert (every.query_indices[places] == some.query_indices).all()
    for name, values in some.per_query.items():
        np.testing.assert_array_equal(values, every.per_query[name][places])
    np.testing.assert_array_equal(some.neighbours, every.neighbours[places])


def test_the_means_over_shards_of_the_queries_are_the_metrics_of_all():
    gallery = make_examples(RNG.normal(size=(100, 4)), RNG.integers(0, 20, 100))
    whole = evaluate(EXAMPLES, gallery)
    parts = np.split(np.arange(300), [90, 200])
    shards = [
        evaluate(make_examples(EXAMPLES.vectors[rows], LABELS[rows]), gallery) for rows in parts
    ]
    weights = [shard.coverage.queries for shard in shards]
    for name in whole.per_query:  # those of rankings, and knn_accuracy
        mean = np.average([shard.metrics[name] for shard in shards], weights=weights)
        assert mean == pytest.approx(whole.metrics[name], rel=1e-12), name


def test_a_sample_is_a_function_of_the_seed_and_no_larger_than_all_queries():
    seeds = (3, 3, 4)
    one, again, other = (with_sampled_queries(EXAMPLES, 60, seed).is_query for seed in seeds)
    assert (one == again).all() and (one != other).any()
    evaluated = (make_protocol(EXAMPLES).relevant > 0).sum()
    for most in (None, evaluated, 10_000):
        assert with_sampled_queries(EXAMPLES, most, seed=3) is EXAMPLES
    drawn = [with_sampled_queries(EXAMPLES, 60, seed).is_query[:298] for seed in range(200)]
    assert (np.abs(np.mean(drawn, axis=0) - 60 / 298) < 0.15).all()  # 5 deviations


def test_a_further_metric_comes_with_those_of_its_source():
    whole = evaluate(EXAMPLES).metrics
    rankings = retrieval_metrics(EXAMPLES)
    for also, more in (
        ("map_at_r", set()),
        ("knn_accuracy", {"knn_accuracy"}),
        ("nmi", {"nmi"}),
        ("eer", {"roc_auc", "eer", "tpr_at_fpr_1e-2", "tpr_at_fpr_1e-3"}),
    ):
        found = retrieval_metrics(EXAMPLES, also=also)
        assert found.keys() - rankings.keys() == more
        assert found == {name: whole[name] for name in found}
