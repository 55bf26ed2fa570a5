"""Evaluation of embeddings: retrieval, verification, clustering, episodes."""

from triplet_train.evaluation.coverage import Coverage, leave_one_out_coverage
from triplet_train.evaluation.metrics import METRICS, MetricTable
from triplet_train.evaluation.vectors import Evaluation, evaluate, has_pairs, retrieval_metrics

__all__ = [
    "METRICS",
    "Coverage",
    "Evaluation",
    "MetricTable",
    "evaluate",
    "has_pairs",
    "leave_one_out_coverage",
    "retrieval_metrics",
]
