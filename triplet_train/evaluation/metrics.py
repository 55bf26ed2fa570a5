"""Definitions of the metrics, and the table of those that are computed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, Flag, auto
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from triplet_train.evaluation.clustering import nmi
from triplet_train.evaluation.verification import Roc
from triplet_train.registry import rate_name

_KNN_K = 5


class Source(Enum):
    """Input of a metric, with the arguments and result of its function."""

    RANKING = auto()  # Ranking of a query -> float
    NEIGHBOURS = auto()  # labels of the nearest [Q, k] and of the queries [Q] -> float64 [Q]
    CLUSTERS = auto()  # vectors [Q, D] and labels [Q] of two classes or more -> float
    PAIRS = auto()  # Roc -> float


class Shown(Flag):
    """Places that show a metric in addition to the list of all metrics."""

    NOWHERE = 0
    SUMMARY = auto()  # in the line at the end of a run
    HEADLINE = auto()  # first on the page, and with an interval everywhere
    CLASS_JSON = auto()  # in the table of classes of the JSON
    CLASS_TEXT = auto()  # in the table of classes on the terminal
    CLASS_PAGE = auto()  # in the table of classes on the page


class Ranking(NamedTuple):
    """The images of a query's class in its ranking of the gallery.

    Attributes:
        ranks: int64 [R], at least one, ascending; the nearest image has rank 1.
        precisions: float64 [R], the share of the class among the images up to each rank.
    """

    ranks: np.ndarray
    precisions: np.ndarray

    def among(self, k: int) -> int:
        """Number of images of the class among the k nearest."""
        return int(self.ranks.searchsorted(k, "right"))


@dataclass(frozen=True)
class Metric:
    """A metric.

    Attributes:
        name: the key in JSON, and the name on the terminal and the page.
        meaning: a phrase for the page and the documentation.
        source: what it is computed from.
        compute: see `Source`; from 0 to 1. A metric of all queries is the mean of the values of the
            queries.
        shown: places that show it in addition to the list of all metrics.
    """

    name: str
    meaning: str
    source: Source
    compute: Callable[..., Any]
    shown: Shown = Shown.NOWHERE


def ranking_of(ranks: np.ndarray) -> Ranking:
    """Return the ranking of a query with images of its class at `ranks`, int64 [R], ascending."""
    return Ranking(ranks, np.arange(1, len(ranks) + 1) / ranks)


def _recall_at(k: int, shown: Shown) -> Metric:
    nearest = "whose nearest image has" if k == 1 else f"with one of the {k} nearest images of"
    return Metric(
        f"recall_at_{k}",
        f"share of queries {nearest} their class",
        Source.RANKING,
        lambda ranking: float(ranking.ranks[0] <= k),
        shown,
    )


def _precision_at(k: int, shown: Shown) -> Metric:
    return Metric(
        f"precision_at_{k}",
        f"share of the {k} nearest images that have the query's class; "
        f"of {k}, even if the gallery is smaller",
        Source.RANKING,
        lambda ranking: ranking.among(k) / k,
        shown,
    )


def _r_precision(ranking: Ranking) -> float:
    r = len(ranking.ranks)
    return ranking.among(r) / r


def _map_at_r(ranking: Ranking) -> float:
    r = len(ranking.ranks)
    return float(ranking.precisions[: ranking.among(r)].sum()) / r


def vote(labels: np.ndarray) -> np.ndarray:
    """Majority class of the 5 nearest neighbours; ties go to the class of the nearest one.

    Args:
        labels: integers [Q, k], classes of the neighbours, nearest first; each -1 is a class of its
            own.

    Returns:
        integers [Q].
    """
    voting = labels[:, :_KNN_K]
    votes = (voting[:, :, np.newaxis] == voting[:, np.newaxis, :]).sum(axis=2)
    votes[voting < 0] = 1
    return np.take_along_axis(voting, votes.argmax(axis=1)[:, np.newaxis], 1)[:, 0]


def _tpr_at_fpr(rate: float) -> Metric:
    limit = f"{100 * rate:g}%"
    return Metric(
        f"tpr_at_fpr_{rate_name(rate)}",
        f"share of the pairs of one class that pass at the largest distance that lets at most "
        f"{limit} of the pairs of two classes pass",
        Source.PAIRS,
        lambda roc: roc.tpr_at(rate),
    )


_FIRST = Shown.SUMMARY | Shown.HEADLINE
_IN_CLASSES = Shown.CLASS_JSON | Shown.CLASS_TEXT
# Those of rankings: Musgrave, Belongie & Lim, A Metric Learning Reality Check (2020).
_ALWAYS = (
    Metric(
        "r_precision",
        "share of the R nearest images that have the query's class, where R is the number of "
        "images of the class",
        Source.RANKING,
        _r_precision,
        _FIRST | Shown.CLASS_JSON,
    ),
    Metric(
        "map_at_r",
        "sum of the precisions at the ranks up to R that hold an image of the query's class, "
        "divided by R, the number of images of that class",
        Source.RANKING,
        _map_at_r,
        _FIRST | _IN_CLASSES | Shown.CLASS_PAGE,
    ),
    Metric(
        "map",
        "mean average precision over all images of the class; ranks the whole gallery",
        Source.RANKING,
        lambda ranking: ranking.precisions.sum() / len(ranking.ranks),
    ),
    Metric(
        "mrr",
        "mean of 1 / rank of the first image of the class; ranks the whole gallery",
        Source.RANKING,
        lambda ranking: 1 / ranking.ranks[0],
    ),
    Metric(
        "minp",
        "mean inverse negative penalty: R / rank of the last image of the class, where R is the "
        "number of images of the class; ranks the whole gallery",
        Source.RANKING,
        lambda ranking: len(ranking.ranks) / ranking.ranks[-1],
    ),
    Metric(
        "knn_accuracy",
        f"share of queries whose class is the most frequent among the {_KNN_K} nearest "
        "images; ties go to the class of the nearest image",
        Source.NEIGHBOURS,
        lambda neighbours, labels: (vote(neighbours) == labels).astype(np.float64),
        Shown.HEADLINE | _IN_CLASSES,
    ),
    Metric(
        "nmi",
        "normalised mutual information of the classes and as many k-means clusters: 0 none, 1 full",
        Source.CLUSTERS,
        nmi,
    ),
    Metric(
        "roc_auc",
        "probability that a pair of one class is nearer than a pair of two classes",
        Source.PAIRS,
        Roc.area,
    ),
    Metric(
        "eer",
        "equal error rate: the error on both kinds of pairs at the distance where they are equal; "
        "lower is better",
        Source.PAIRS,
        Roc.equal_error_rate,
    ),
)


@dataclass(frozen=True)
class MetricTable:
    """The metrics that are computed, in their order.

    Attributes:
        recall_at, precision_at: K of recall_at_K and precision_at_K, ascending.
        false_accept_rates: F of tpr_at_fpr_F, between 0 and 1.
        nmi: compute nmi even where it takes minutes.
    """

    recall_at: Sequence[int] = (1, 5, 10)
    precision_at: Sequence[int] = (5, 10)
    false_accept_rates: Sequence[float] = (1e-2, 1e-3)
    nmi: bool = False

    def __iter__(self) -> Iterator[Metric]:
        return iter(self._entries)

    def computed_from(self, source: Source) -> list[Metric]:
        """The metrics that are computed from `source`."""
        return [metric for metric in self if metric.source is source]

    def shown_in(self, place: Shown) -> list[Metric]:
        """The metrics that are shown in a place."""
        return [metric for metric in self if place in metric.shown]

    @cached_property
    def _entries(self) -> tuple[Metric, ...]:
        recall = dict.fromkeys(self.recall_at, Shown.NOWHERE)
        recall |= dict.fromkeys(self.recall_at[:2], Shown.SUMMARY)
        if 1 in recall:
            recall[1] = _FIRST | _IN_CLASSES | Shown.CLASS_PAGE
        precision = dict.fromkeys(self.precision_at, Shown.NOWHERE)
        precision |= dict.fromkeys(self.precision_at[-1:], _IN_CLASSES)
        return (
            *(_recall_at(k, shown) for k, shown in recall.items()),
            *(_precision_at(k, shown) for k, shown in precision.items()),
            *_ALWAYS,
            *map(_tpr_at_fpr, self.false_accept_rates),
        )


METRICS = MetricTable()
