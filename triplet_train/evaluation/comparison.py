"""Comparison of sides: the difference of each metric, paired by query."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from triplet_train.evaluation.bootstrap import by_metric, difference_intervals
from triplet_train.evaluation.metrics import Metric, MetricTable
from triplet_train.evaluation.sides import Side, differing_keys


class Measured(NamedTuple):
    """Metrics of a tower; see `Evaluation`."""

    metrics: dict[str, float]
    per_query: dict[str, np.ndarray]


@dataclass(frozen=True)
class Difference:
    """A metric of two sides.

    Attributes:
        metric: its entry in the table.
        first, other: its values, the means over the towers of each side.
        interval: ends of the 95 % interval of `first` - `other`, see `difference_intervals`; None
            for metrics that are not means over queries, and for queries of one class.
    """

    metric: Metric
    first: float
    other: float
    interval: tuple[float, float] | None

    @property
    def difference(self) -> float:
        return self.first - self.other


@dataclass(frozen=True)
class Comparison:
    """Two sides on the same queries.

    Attributes:
        first, other: the sides.
        settings: the keys of the configuration in which they differ.
        queries, classes: number of queries and of their classes.
        differences: in the order of the metrics.
    """

    first: Side
    other: Side
    settings: list[str]
    queries: int
    classes: int
    differences: list[Difference]

    @property
    def covers_training(self) -> bool:
        """True if the intervals cover other seeds: each side has several runs."""
        return all(len(side.towers) > 1 for side in (self.first, self.other))


def compare(
    sides: Sequence[Side],
    measured: Mapping[str, Measured],
    labels: np.ndarray,
    table: MetricTable,
) -> list[Comparison]:
    """Compare the first side with each of the others.

    Args:
        measured: the metrics of each tower, by its origin; all of the same queries in the same
            order.
        labels: integers [Q'], the classes of these queries.
        table: the metrics.
    """
    first, *others = sides
    return [_compare(first, other, measured, labels, table) for other in others]


def _compare(
    first: Side,
    other: Side,
    measured: Mapping[str, Measured],
    labels: np.ndarray,
    table: MetricTable,
) -> Comparison:
    one, two = ([measured[tower.origin] for tower in side.towers] for side in (first, other))
    names = list(one[0].per_query)
    values, others = (
        np.array([[each.per_query[name] for name in names] for each in side]) for side in (one, two)
    )
    intervals = by_metric(names, difference_intervals(values, others, labels), least=-1)
    return Comparison(
        first,
        other,
        differing_keys([side.towers[0].settings() for side in (first, other)]),
        len(labels),
        len(np.unique(labels)),
        [
            Difference(m, _mean(m, one), _mean(m, two), intervals.get(m.name))
            for m in table
            if m.name in one[0].metrics
        ],
    )


def _mean(metric: Metric, side: list[Measured]) -> float:
    return float(np.mean([each.metrics[metric.name] for each in side]))
