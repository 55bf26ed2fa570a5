"""Exact search: the nearest images of each query, and the metrics of its ranking."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from triplet_train.evaluation.metrics import METRICS, MetricTable, Source, ranking_of
from triplet_train.evaluation.pairs import IGNORED, Pairs

NEIGHBOURS = 10
_FEW_RELEVANT = 8  # comparing a row with this many keys takes half the time of sorting it

SeeStrip = Callable[[slice, np.ndarray], None]


@dataclass(frozen=True)
class SearchResult:
    """Results of the queries with an image of their class in the gallery, in the caller's order.

    Attributes:
        query_indices: int64 [Q'], the indices of these queries.
        per_query: metric -> float64 [Q'], for the metrics of rankings.
        neighbours: int64 [Q', k], indices of the nearest images of the gallery, nearest first;
            at most as many as a query has to search. -1 where a query has fewer.
        neighbour_distances: float32 [Q', k], Euclidean; infinite where a query has fewer.
    """

    query_indices: np.ndarray
    per_query: dict[str, np.ndarray]
    neighbours: np.ndarray
    neighbour_distances: np.ndarray


def search(
    pairs: Pairs,
    done: Callable[[int], object],
    see: SeeStrip = lambda strip, keys: None,
    metrics: MetricTable = METRICS,
    most: int = NEIGHBOURS,
) -> SearchResult:
    """Search the whole gallery for each query.

    Takes O(Q G (D + min(R, log G))) time, where R is the mean number of images of the queries'
    classes, and the memory of a block of distances per thread.

    Args:
        pairs: the queries and the gallery.
        done: called with the number of queries of each block that is done.
        see: called with every strip of queries and its keys, from several threads; it must not
            change them.
        metrics: those of rankings are computed.
        most: k, the number of nearest images to return.
    """
    protocol, relevant = pairs.protocol, pairs.protocol.relevant
    searched = len(pairs.gallery) - int(protocol.ignored.min())
    ranked_by = metrics.computed_from(Source.RANKING)
    computations = [metric.compute for metric in ranked_by]
    table = np.empty((len(pairs.queries), len(ranked_by)))
    neighbours = np.empty((len(table), min(most, searched)), np.int64)
    distances = np.empty(neighbours.shape, np.float32)

    def work(strip: slice, keys: np.ndarray) -> None:
        see(strip, keys)
        few = relevant[strip].mean() <= _FEW_RELEVANT
        ordered = np.partition(keys, neighbours.shape[1] - 1) if few else np.sort(keys)
        for query in np.flatnonzero(relevant[strip]) + strip.start:
            row = query - strip.start
            of_class = np.sort(keys[row, protocol.starts[query] : protocol.ends[query]])
            wanted = of_class[: relevant[query]]
            smaller = _counted(wanted, keys[row]) if few else np.searchsorted(ordered[row], wanted)
            ranking = ranking_of(_ranks(smaller))
            table[query] = [compute(ranking) for compute in computations]
        kept = np.sort(ordered[:, : neighbours.shape[1]])
        distances[strip] = pairs.distances(kept)
        nearest = indices_at(keys, kept, protocol.gallery_indices)
        neighbours[strip] = np.where(kept == IGNORED, -1, nearest)

    pairs.each_strip(work, done)
    evaluated = np.flatnonzero(relevant)
    evaluated = evaluated[np.argsort(protocol.query_indices[evaluated])]
    columns = table[evaluated].T
    return SearchResult(
        protocol.query_indices[evaluated],
        {metric.name: values for metric, values in zip(ranked_by, columns, strict=True)},
        neighbours[evaluated],
        distances[evaluated],
    )


def _counted(keys: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Number of smaller keys in a row for each of some keys: int64 [R] of uint32 [R] and [G]."""
    return np.array([np.count_nonzero(row < key) for key in keys])


def _ranks(smaller: np.ndarray) -> np.ndarray:
    """Ranks of the images of a class, int64 [R], of the ascending numbers of smaller keys."""
    before = np.arange(len(smaller))
    others = np.maximum.accumulate(smaller - before)  # of equal keys: as many
    return others + before + 1


def indices_at(keys: np.ndarray, nearest: np.ndarray, gallery_indices: np.ndarray) -> np.ndarray:
    """Indices of the images whose keys are `nearest`; of equal keys the lowest indices.

    Args:
        keys: uint32 [B, G].
        nearest: uint32 [B, k], the k smallest keys of each row, sorted.
        gallery_indices: int64 [G], the caller's index of each column.

    Returns:
        int64 [B, k].
    """
    query, column = np.divmod(np.flatnonzero(keys <= nearest[:, -1:]), keys.shape[1])
    index = gallery_indices[column]
    order = np.lexsort((index, keys[query, column], query))
    first = np.searchsorted(query, np.arange(len(keys)))
    return index[order[first[:, np.newaxis] + np.arange(nearest.shape[1])]]
