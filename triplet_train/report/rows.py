"""Words and numbers of the page: metrics, thresholds, classes, confusions, queries."""

from typing import Any, NamedTuple

from triplet_train.evaluation.episodes import EpisodeResult
from triplet_train.evaluation.metrics import Metric, Shown
from triplet_train.evaluation.tables import TableEvaluation
from triplet_train.evaluation.text import queries_of_each
from triplet_train.report.sheets import worst_queries
from triplet_train.report.style import name_of

MOST_CLASSES = 200
MOST_CONFUSIONS = 20


class MetricRow(NamedTuple):
    """A row of the table of metrics in words; `interval` and `reranked` may be empty."""

    name: str
    value: str
    interval: str
    meaning: str
    reranked: str = ""


def metric_rows(evaluated: TableEvaluation) -> list[MetricRow]:
    """A row for every metric of the result, and one for the episodes, if any."""
    result = evaluated.result
    rows = [_row(metric, evaluated) for metric in result.table if metric.name in result.metrics]
    return [*rows, _episodes_row(evaluated.episodes)] if evaluated.episodes else rows


def headline_rows(evaluated: TableEvaluation) -> list[MetricRow]:
    """The metrics that are shown large."""
    return [_row(m, evaluated) for m in evaluated.result.table.shown_in(Shown.HEADLINE)]


def _row(metric: Metric, evaluated: TableEvaluation) -> MetricRow:
    value = evaluated.result.metrics[metric.name]
    interval = evaluated.result.intervals.get(metric.name)
    again = evaluated.result.reranked
    reranked = f"{again.metrics[metric.name]:.4f}" if again and metric.name in again.metrics else ""
    return MetricRow(metric.name, f"{value:.4f}", _between(interval), metric.meaning, reranked)


def _episodes_row(result: EpisodeResult) -> MetricRow:
    request = result.request
    examples = "example" if request.shots == 1 else f"mean of {request.shots} examples"
    left_out = len(result.left_out_labels)
    return MetricRow(
        f"{request.ways}-way {request.shots}-shot",
        f"{result.accuracy:.4f}",
        _between(result.interval),
        f"share of queries that are nearest to the {examples} of their class, of {request.ways} "
        f"classes; over {request.episodes:,} random episodes, as is the interval, drawn from "
        f"{result.classes:,} classes"
        + (f" ({left_out:,} more have too few images)" if left_out else "")
        + f"; {queries_of_each(result)}, seed {request.seed}",
    )


def _between(interval: tuple[float, float] | None) -> str:
    return f"{interval[0]:.4f} to {interval[1]:.4f}" if interval else ""


def class_columns(evaluated: TableEvaluation) -> list[str]:
    """Headings of the metrics in `class_rows`."""
    return [metric.name for metric in evaluated.result.table.shown_in(Shown.CLASS_PAGE)]


def class_rows(evaluated: TableEvaluation) -> list[tuple[str, str, list[str]]]:
    """Name, number of queries and metrics of up to 200 classes, the worst first."""
    return [
        (
            name_of(row.label, evaluated.class_names),
            f"{row.queries:,}",
            [f"{row.metrics[name]:.4f}" for name in class_columns(evaluated)],
        )
        for row in evaluated.result.classes[:MOST_CLASSES]
    ]


def confusion_rows(evaluated: TableEvaluation) -> list[tuple[str, str, str, str]]:
    """Class, class that it is taken for, queries and their share; the hardest first."""
    return [
        (
            name_of(pair.label, evaluated.class_names),
            name_of(pair.mistaken_for, evaluated.class_names),
            f"{pair.queries:,}",
            f"{pair.share:.1%}",
        )
        for pair in evaluated.result.confusions[:MOST_CONFUSIONS]
    ]


def worst_rows(evaluated: TableEvaluation) -> list[tuple[str, str, str, str]]:
    """Id, class, class of the nearest image and its distance, for the sheet of the worst."""
    result, names, rows = evaluated.result, evaluated.class_names, []
    for position in worst_queries(evaluated):
        query = result.query_indices[position]
        labels = evaluated.queries.labels[query], result.neighbour_labels[position, 0]
        own, other = (name_of(int(label), names) for label in labels)
        distance = f"{result.neighbour_distances[position, 0]:.3f}"
        rows.append((evaluated.queries.ids[query], own, other, distance))
    return rows


def environment_rows(environment: dict[str, Any]) -> list[tuple[str, str]]:
    """A row per entry; nested values become one line of words."""
    return [(key.replace("_", " "), _words(value)) for key, value in environment.items()]


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_words(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(map(_words, value)) or "none"
    return "unknown" if value is None else str(value)
