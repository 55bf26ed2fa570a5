"""The queries of the evaluations during training."""

import numpy as np
import pytest

from tests.helpers.tables import table
from triplet_train.errors import RequestError
from triplet_train.jobs.train.held_out import hold_out

LABELS = np.repeat(np.arange(10), 20)
VECTORS = np.random.default_rng(0).normal(size=(200, 4))
IMAGES = table(np.zeros((200, 1, 1, 1), np.uint8), LABELS)


def test_a_sample_of_the_queries_is_the_same_in_every_evaluation_and_is_said(digits_config):
    held_out = hold_out(digits_config("evaluation.queries=50"), IMAGES)
    evaluate = held_out.evaluation(lambda images: VECTORS, IMAGES)
    assert evaluate() == evaluate()
    assert (evaluate()["queries"], evaluate()["gallery_images"]) == (50, 200)
    assert evaluate()["rows_without_part"] == 0
    assert str(held_out) == "drawn from 200: 50 queries of 10 classes"
    assert held_out.notes()[0].startswith("evaluations during training take 50 of the 200 queries")
    other = hold_out(digits_config("evaluation.queries=50", "seed=1"), IMAGES)
    assert (other.examples.is_query != held_out.examples.is_query).any()


def test_nothing_is_said_where_all_queries_are_evaluated(digits_config):
    held_out = hold_out(digits_config("evaluation.queries=200"), IMAGES)
    assert str(held_out) == "200 queries of 10 classes" and not held_out.notes()


def test_the_best_metric_is_computed_whatever_its_source(digits_config):
    for best in ("mrr", "knn_accuracy", "nmi", "eer", "tpr_at_fpr_1e-3"):
        held_out = hold_out(digits_config(f"evaluation.best_metric={best}"), IMAGES)
        assert best in held_out.evaluation(lambda images: VECTORS, IMAGES)()


def test_queries_of_one_class_that_cannot_give_the_best_metric_are_refused(digits_config):
    config = digits_config("evaluation.best_metric=nmi", "evaluation.queries=1")
    with pytest.raises(RequestError, match=r"best_metric: nmi needs queries of two classes"):
        hold_out(config, IMAGES)
