"""The metrics that a configuration asks for."""

from triplet_train.config import EvaluationConfig
from triplet_train.evaluation import MetricTable


def asked_metrics(config: EvaluationConfig) -> MetricTable:
    """Return the table of the metrics that a configuration asks for."""
    return MetricTable(
        config.recall_at,
        config.precision_at,
        config.false_accept_rates,
        nmi=config.nmi or config.best_metric == "nmi",
    )
