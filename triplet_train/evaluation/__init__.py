"""Evaluation of embeddings: retrieval, verification, clustering, episodes."""

from triplet_train.evaluation.coverage import Coverage, coverage_of
from triplet_train.evaluation.examples import Examples, examples_of, make_examples
from triplet_train.evaluation.metrics import METRICS, MetricTable
from triplet_train.evaluation.protocol import Protocol, make_protocol
from triplet_train.evaluation.sampling import with_sampled_queries
from triplet_train.evaluation.vectors import Evaluation, evaluate, retrieval_metrics

__all__ = [
    "METRICS",
    "Coverage",
    "Evaluation",
    "Examples",
    "MetricTable",
    "Protocol",
    "coverage_of",
    "evaluate",
    "examples_of",
    "make_examples",
    "make_protocol",
    "retrieval_metrics",
    "with_sampled_queries",
]
