"""The table of metrics."""

import numpy as np

from tests.helpers.examples import examples
from tests.helpers.report_contents import evaluated
from triplet_train.evaluation import METRICS, MetricTable, evaluate, metrics
from triplet_train.evaluation.as_json import as_json
from triplet_train.evaluation.metrics import Metric, Shown, Source
from triplet_train.evaluation.text import as_text
from triplet_train.registry import LOWER_IS_BETTER, metric_names
from triplet_train.registry import METRICS as METRIC_NAMES
from triplet_train.report import rows

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(60, 4)), RNG.integers(0, 5, 60)


def test_names_that_others_rely_on_are_those_of_a_result_in_their_order():
    names = [
        *("recall_at_1", "recall_at_5", "recall_at_10", "precision_at_5", "precision_at_10"),
        *METRIC_NAMES,
        *("tpr_at_fpr_1e-2", "tpr_at_fpr_1e-3"),
    ]
    assert [metric.name for metric in METRICS] == list(evaluate(*examples(X, Y)).metrics) == names


def test_names_are_those_that_a_configuration_accepts():
    rates = [0.3, 1e-2, 2.5e-4, 1e-7]
    asked = MetricTable([1, 20], [3], rates)
    assert [metric.name for metric in asked] == metric_names([1, 20], [3], rates)
    assert set(LOWER_IS_BETTER) < set(METRIC_NAMES)


def test_a_metric_is_one_entry(monkeypatch):
    def compute(ranking):
        return len(ranking.ranks) / ranking.ranks[-1]

    shown = Shown.HEADLINE | Shown.CLASS_JSON | Shown.CLASS_TEXT | Shown.CLASS_PAGE
    added = Metric("last", "R / rank of the last", Source.RANKING, compute, shown)
    always = metrics._ALWAYS
    monkeypatch.setattr(metrics, "_ALWAYS", (*always[:4], added, *always[4:]))
    found = evaluated(X, Y, metrics=MetricTable(), class_names=dict(enumerate("abcde")))
    value = found.result.metrics["last"]
    assert 0 < value < 1 and "last" in found.result.intervals
    answer = as_json(found)
    assert answer["last"] == value and "last" in answer["classes"][0]
    text = as_text(found)
    assert f"last             {value:.4f}  " in text and "  last  " in text
    assert ("last", f"{value:.4f}") in [row[:2] for row in rows.metric_rows(found)]
    assert "last" in rows.class_columns(found)
    assert "last" in [row.name for row in rows.headline_rows(found)]


def test_the_result_has_the_metrics_that_were_asked_for_everywhere():
    asked = MetricTable(recall_at=(1, 20, 1000), precision_at=(3,), false_accept_rates=(0.25, 1e-4))
    found = evaluated(X, Y, metrics=asked, class_names=dict(enumerate("abcde")))
    values, text = found.result.metrics, as_text(found)
    assert list(values)[:4] == ["recall_at_1", "recall_at_20", "recall_at_1000", "precision_at_3"]
    assert list(values)[-2:] == ["tpr_at_fpr_2.5e-1", "tpr_at_fpr_1e-4"]
    assert list(found.result.thresholds) == ["eer", "fpr_2.5e-1", "fpr_1e-4", "accuracy"]
    assert all(name in as_json(found) and name in text for name in values)
    assert "precision_at_3" in as_json(found)["classes"][0]
    assert "at most 25 % of the others" in text and "at most 0.01 % of the others" in text
    assert [row.name for row in rows.metric_rows(found)] == list(values)


def test_a_number_beyond_the_gallery_finds_all_of_it():
    asked = MetricTable(recall_at=(59, 60, 1000), precision_at=(60,))
    found = evaluate(*examples(X, Y), metrics=asked)
    recalls = [found.metrics[f"recall_at_{k}"] for k in asked.recall_at]
    relevant = np.bincount(Y)[Y] - 1
    assert recalls == [1, 1, 1]
    assert found.metrics["precision_at_60"] == (relevant / 60).mean()
    assert found.neighbours.shape == (60, 10)


def test_without_recall_at_1_the_other_headlines_stay():
    asked = MetricTable(recall_at=(2, 4), precision_at=(), false_accept_rates=())
    found = evaluated(X, Y, metrics=asked, class_names=dict(enumerate("abcde")))
    assert list(found.result.intervals) == ["r_precision", "map_at_r", "knn_accuracy"]
    assert list(found.result.thresholds) == ["eer", "accuracy"]
    assert "recall_at_2" in as_text(found) and "precision" not in as_text(found).split("r_p")[0]
