"""Evaluation of vectors with labels, from one pass over their distances."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from triplet_train.evaluation.bootstrap import by_metric, mean_intervals
from triplet_train.evaluation.classes import ClassMetrics, Confusion, class_table, confusions
from triplet_train.evaluation.clustering import import_ahead, takes_minutes
from triplet_train.evaluation.coverage import Coverage, coverage_of
from triplet_train.evaluation.examples import Examples
from triplet_train.evaluation.metrics import METRICS, Metric, MetricTable, Shown, Source
from triplet_train.evaluation.near_copies import near_copies_note
from triplet_train.evaluation.pairs import make_pairs
from triplet_train.evaluation.protocol import Protocol
from triplet_train.evaluation.search import NEIGHBOURS, SearchResult, search
from triplet_train.evaluation.thresholds import thresholds_of
from triplet_train.evaluation.verification import (
    DistanceHistograms,
    PairCounter,
    PairCounts,
    Roc,
    histograms,
    roc_of,
)

Progress = Callable[[str, int], object]


@dataclass(frozen=True)
class Ranked:
    """Results of the rankings of Q' queries.

    Attributes:
        metrics: name -> value, for the metrics of rankings and of neighbours.
        per_query: metric -> float64 [Q'], the values that these are the means of.
        query_indices: int64 [Q'], the indices of the evaluated queries.
        neighbours: int64 [Q', k], indices of images of the gallery, nearest first; -1 where a query
            has fewer to search.
        neighbour_labels: int64 [Q', k], their classes; -1 for a distractor too.
        neighbour_distances: float32 [Q', k], by which they are ranked; infinite where a query has
            fewer.
    """

    metrics: dict[str, float]
    per_query: dict[str, np.ndarray]
    query_indices: np.ndarray
    neighbours: np.ndarray
    neighbour_labels: np.ndarray
    neighbour_distances: np.ndarray


@dataclass(frozen=True)
class Evaluation(Ranked):
    """Result of `evaluate`. Q' queries are evaluated.

    k is the number that was asked for, at least 10, or the most images that a query has to search.
    Distances are Euclidean.

    Attributes:
        table: the metrics that were asked for.
        metrics: name -> value, in the order of `table`. Queries of one class have no nmi, and
            without pairs of different classes there are no metrics of pairs. Where nmi takes
            minutes, it is left out unless it is asked for.
        intervals: metric -> ends of its 95 % interval, see `mean_intervals`, for the headline
            metrics; empty for queries of one class.
        thresholds: eer, fpr_RATE for each false accept rate, and accuracy: the Euclidean distance
            up to which a pair is called the same class, see `thresholds_of`.
        notes: sentences for the user on what the metrics do not say.
        coverage: the number of queries and classes that were evaluated. Queries that are left out
            still belong to the gallery and to the pairs of different classes.
        leave_one_out: True if queries and gallery are the same images.
        left_out_labels: the classes without another image in the gallery, whose queries are left
            out.
        classes: metrics of each class of the evaluated queries, lowest map_at_r first.
        confusions: classes of queries and of their nearest images that differ, most queries first.
        distances: of all pairs, for drawing.
        pairs: the number of all pairs by distance.
        reranked: of the same queries, re-ranked, see `rerank`; None if not requested.
    """

    table: MetricTable
    intervals: dict[str, tuple[float, float]]
    thresholds: dict[str, float]
    notes: list[str]
    coverage: Coverage
    leave_one_out: bool
    left_out_labels: list[int]
    classes: list[ClassMetrics]
    confusions: list[Confusion]
    distances: DistanceHistograms
    pairs: PairCounts
    reranked: Ranked | None = None


def evaluate(
    queries: Examples,
    gallery: Examples | None = None,
    *,
    metrics: MetricTable = METRICS,
    neighbours: int = NEIGHBOURS,
    reranked: bool = False,
    progress: Progress = lambda stage, queries: None,
) -> Evaluation:
    """Compute all metrics, exactly and by Euclidean distance.

    `make_protocol` says which examples are queries and gallery. A query ignores the images of its
    own class and group, and itself: they have no rank and form no pair. Pairs are all other pairs
    of a query and an image of the gallery; each unordered pair once if both are the same images.
    Distances are computed in float64 and compared as float32. Ties count against the query: of
    images at equal distance, those of other classes come first. The result is deterministic.

    Args:
        queries: the queries; without a gallery the gallery too.
        gallery: the images to search.
        metrics: those to compute.
        neighbours: the number of nearest images to return, if it is more than 10.
        reranked: also compute the metrics of the re-ranked lists; see `rerank` for the cost.
        progress: called with the name of the stage and the number of queries that are done.

    Returns:
        The evaluation, in O(Q G (D + log G)) time; 60,000 x 60,000 x 64 takes less than a minute on
        two cores, in 0.5 GiB. Uses two copies of the vectors in float64, 80 MiB of distances per
        thread, or as much as a copy of the gallery in all threads, and at most 260 MiB of pair
        counts.

    Raises:
        RequestError: dimensions differ, values are not finite, or no query has an image of its
            class to find.
    """
    most = max(neighbours, NEIGHBOURS)
    found = _measure(queries, gallery, metrics, set(Source), progress, most)
    protocol, ranked, per_query = found.protocol, found.ranked, found.ranked.per_query
    assert found.counts is not None  # of `Source.PAIRS`
    progress("resampling", 0)
    labels = queries.labels[ranked.query_indices]
    headlines = [metric.name for metric in metrics.shown_in(Shown.HEADLINE)]
    resampled = np.array([per_query[name] for name in headlines])
    return Evaluation(
        table=metrics,
        metrics=found.values,
        intervals=by_metric(headlines, mean_intervals(resampled, labels), least=0),
        thresholds=thresholds_of(found.counts, metrics.false_accept_rates),
        notes=_notes(found, found.counts, labels),
        coverage=coverage_of(protocol),
        leave_one_out=protocol.symmetric,
        left_out_labels=np.unique(protocol.query_labels[protocol.without_their_class]).tolist(),
        classes=class_table(labels, per_query, metrics),
        confusions=confusions(labels, ranked.neighbour_labels[:, 0]),
        distances=histograms(found.counts),
        pairs=found.counts,
        query_indices=ranked.query_indices,
        neighbours=ranked.neighbours,
        neighbour_labels=ranked.neighbour_labels,
        neighbour_distances=ranked.neighbour_distances,
        per_query=per_query,
        reranked=_rerank(queries, gallery, metrics, progress, most) if reranked else None,
    )


def retrieval_metrics(
    queries: Examples,
    gallery: Examples | None = None,
    *,
    metrics: MetricTable = METRICS,
    also: str | None = None,
) -> dict[str, float]:
    """Compute the metrics of rankings alone, name -> value. See `evaluate`.

    Args:
        also: name of a metric; those with the same source are computed too.
    """
    sources = {Source.RANKING} | {metric.source for metric in metrics if metric.name == also}
    return _measure(queries, gallery, metrics, sources).values


class _Measured(NamedTuple):
    """Arrays and values from one pass; see `Evaluation`."""

    protocol: Protocol
    ranked: Ranked
    counts: PairCounts | None
    roc: Roc | None
    values: dict[str, float]


def _measure(
    queries: Examples,
    gallery: Examples | None,
    metrics: MetricTable,
    sources: set[Source],
    progress: Progress = lambda stage, queries: None,
    most: int = NEIGHBOURS,
) -> _Measured:
    """Compute the metrics that have one of these sources, and the nearest images."""
    asked = {source: metrics.computed_from(source) for source in sources}
    pairs = make_pairs(queries, gallery)
    counter = PairCounter(pairs) if Source.PAIRS in asked else None
    see = counter.see if counter else lambda block, keys: None
    with ThreadPoolExecutor(1) as thread:
        if Source.CLUSTERS in asked:
            thread.submit(import_ahead)
        result = search(pairs, lambda done: progress("evaluating", done), see, metrics, most)
    ranked = _ranked(result, queries, gallery, asked.get(Source.NEIGHBOURS, ()))
    values, labels = ranked.metrics.copy(), queries.labels[ranked.query_indices]
    if Source.CLUSTERS in asked and (labels != labels[0]).any():
        vectors = queries.vectors[ranked.query_indices] * pairs.scale
        if metrics.nmi or not takes_minutes(vectors, labels):
            progress("clustering", 0)
            values |= {m.name: m.compute(vectors, labels) for m in asked[Source.CLUSTERS]}
    counts = counter.counts() if counter else None
    roc = roc_of(counts) if counts else None
    if roc:
        values |= {metric.name: metric.compute(roc) for metric in asked[Source.PAIRS]}
    return _Measured(pairs.protocol, ranked, counts, roc, values)


def _rerank(
    queries: Examples,
    gallery: Examples | None,
    metrics: MetricTable,
    progress: Progress,
    most: int,
) -> Ranked:
    """Compute the metrics of rankings and neighbours from the re-ranked lists."""
    from triplet_train.evaluation.reranking import rerank  # with SciPy, which takes time to import

    progress("looking for neighbours of neighbours", 0)
    pairs = rerank(queries, gallery)
    result = search(pairs, lambda done: progress("re-ranking", 0), metrics=metrics, most=most)
    return _ranked(result, queries, gallery, metrics.computed_from(Source.NEIGHBOURS))


def _ranked(
    result: SearchResult,
    queries: Examples,
    gallery: Examples | None,
    of_neighbours: Iterable[Metric],
) -> Ranked:
    """Add the labels of the neighbours, and the metrics that are computed from them."""
    labels = queries.labels[result.query_indices]
    searched = queries if gallery is None else gallery
    near = np.where(result.neighbours < 0, -1, searched.labels[result.neighbours])
    per_query = result.per_query | {
        metric.name: metric.compute(near, labels) for metric in of_neighbours
    }
    return Ranked(
        {name: float(each.mean()) for name, each in per_query.items()},
        per_query,
        result.query_indices,
        result.neighbours,
        near,
        result.neighbour_distances,
    )


def _notes(found: _Measured, counts: PairCounts, labels: np.ndarray) -> list[str]:
    """Sentences on the result.

    Args:
        labels: integers [Q'], of the evaluated queries.
    """
    notes = []
    if not (found.protocol.ignored > found.protocol.itself).any():
        notes.append(near_copies_note(found.ranked.neighbour_distances[:, 0], counts))
    classes = len(np.unique(labels))
    if classes > 1 and "nmi" not in found.values:
        notes.append(
            f"nmi is left out, since k-means with {classes:,} clusters takes minutes; to compute "
            "it, set evaluation.nmi=true"
        )
    return [note for note in notes if note]
