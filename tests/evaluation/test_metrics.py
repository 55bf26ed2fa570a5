"""The table of metrics."""

import numpy as np

from tests.helpers.report_contents import evaluated
from triplet_train.evaluation import METRICS, evaluate, metrics
from triplet_train.evaluation.as_json import as_json
from triplet_train.evaluation.metrics import Metric, Shown, Source
from triplet_train.evaluation.text import as_text
from triplet_train.report import rows

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(60, 4)), RNG.integers(0, 5, 60)


def test_names_that_others_rely_on_are_those_of_a_result_in_their_order():
    names = [
        *("recall_at_1", "recall_at_5", "recall_at_10", "precision_at_5", "precision_at_10"),
        *("r_precision", "map_at_r", "map", "mrr", "knn_accuracy", "nmi"),
        *("roc_auc", "eer", "tpr_at_fpr_1e-2", "tpr_at_fpr_1e-3"),
    ]
    assert [metric.name for metric in METRICS] == list(evaluate(X, Y).metrics) == names


def test_a_metric_is_one_entry(monkeypatch):
    def compute(ranking):
        return len(ranking.ranks) / ranking.ranks[-1]

    shown = Shown.HEADLINE | Shown.CLASS_JSON | Shown.CLASS_TEXT | Shown.CLASS_PAGE
    minp = Metric("minp", "mINP", "R / rank of the last", Source.RANKING, compute, shown)
    for module in (metrics, rows):
        monkeypatch.setattr(module, "METRICS", (*METRICS[:9], minp, *METRICS[9:]))
    found = evaluated(X, Y, class_names=dict(enumerate("abcde")))
    value = found.result.metrics["minp"]
    assert 0 < value < 1 and "minp" in found.result.intervals
    answer = as_json(found)
    assert answer["minp"] == value and "minp" in answer["classes"][0]
    text = as_text(found)
    assert f"minp             {value:.4f}  " in text and "  minp  " in text
    assert ("mINP", f"{value:.4f}") in [row[:2] for row in rows.metric_rows(found)]
    assert "mINP" in rows.class_columns()
    assert "mINP" in [row.name for row in rows.headline_rows(found)]
