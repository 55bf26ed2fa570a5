"""Retrieval: does a query find rows of its own class first?"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from triplet_train.errors import RequestError

RECALL_AT = (1, 5, 10)
_BLOCK_BYTES = 64 * 2**20  # of distances held at a time and thread


@dataclass(frozen=True)
class RetrievalFigures:
    """Means over the queries that have a row of their class to find.

    Attributes:
        figures: recall_at_1, recall_at_5, recall_at_10: a row of the class among the k nearest;
            r_precision: share of the class among the R nearest, R being the number of its rows in
            the gallery; map_at_r: mean over ranks 1..R of the precision there where the row is of
            the class, else 0; map: mean over the rows of the class of the precision at their
            ranks; mrr: 1 / rank of the first row of the class, else 0. For the last two, ranks
            past the size of the largest class count as 0, as in pytorch-metric-learning.
        queries: queries judged.
        left_out: queries without any row of their class in the gallery.
    """

    figures: dict[str, float]
    queries: int
    left_out: int


def retrieval_figures(
    queries: np.ndarray,
    query_labels: np.ndarray,
    gallery: np.ndarray | None = None,
    gallery_labels: np.ndarray | None = None,
) -> RetrievalFigures:
    """Exact retrieval figures by Euclidean distance, worked out in float64.

    Definitions as in Musgrave, Belongie & Lim, A Metric Learning Reality Check (2020).
    The order of equal distances is not defined, but always the same.

    Args:
        queries: [Q, D] vectors.
        query_labels: integers [Q].
        gallery, gallery_labels: [G, D] and [G]. Without them every query searches all the other
            queries: leave-one-out, the row itself is left out by its position.

    Returns:
        See `RetrievalFigures`. O(Q G D) time; memory a block of distances per thread.

    Raises:
        RequestError: dimensions differ, or no query has a row of its class to find.
    """
    itself = gallery is None
    if gallery is None or gallery_labels is None:
        gallery, gallery_labels = queries, query_labels
    if queries.shape[1] != gallery.shape[1]:
        raise RequestError(
            f"queries have {queries.shape[1]} dimensions and the gallery {gallery.shape[1]}: "
            "they do not come from the same tower"
        )
    labels, counts = np.unique(gallery_labels, return_counts=True)
    position = np.searchsorted(labels, query_labels).clip(max=len(labels) - 1)
    relevant = np.where(labels[position] == query_labels, counts[position], 0) - int(itself)
    judged = np.flatnonzero(relevant > 0)
    if not len(judged):
        raise RequestError("no query has a row of its own class in the gallery: nothing to judge")
    gallery = gallery.astype(np.float64)
    half_norms = 0.5 * np.einsum("gd,gd->g", gallery, gallery)
    largest = int(relevant.max())
    depth = min(max(largest, *RECALL_AT), len(gallery) - int(itself))

    def judge(rows: np.ndarray) -> np.ndarray:
        # |q - g|^2 / 2 less a constant per query, which does not change the order.
        distances = half_norms - queries[rows].astype(np.float64) @ gallery.T
        if itself:
            distances[np.arange(len(rows)), rows] = np.inf
        nearest = np.sort(np.argpartition(distances, depth - 1, axis=1)[:, :depth], axis=1)
        ranks = np.argsort(np.take_along_axis(distances, nearest, 1), axis=1, kind="stable")
        order = np.take_along_axis(nearest, ranks, 1)
        hits = gallery_labels[order] == query_labels[rows, np.newaxis]
        return _figures_of(hits, relevant[rows], largest)

    block = max(1, _BLOCK_BYTES // (8 * len(gallery)))
    blocks = [judged[start : start + block] for start in range(0, len(judged), block)]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:  # NumPy sorts without the GIL
        table = np.concatenate(list(threads.map(judge, blocks)))
    figures = dict(zip(_NAMES, table.mean(axis=0).tolist(), strict=True))
    return RetrievalFigures(figures, len(judged), len(queries) - len(judged))


def has_pairs(labels: np.ndarray) -> bool:
    """Whether two rows share a label, so that leave-one-out has anything to judge."""
    return len(np.unique(labels)) < len(labels)


_NAMES = (*(f"recall_at_{k}" for k in RECALL_AT), "r_precision", "map_at_r", "map", "mrr")


def _figures_of(hits: np.ndarray, relevant: np.ndarray, largest: int) -> np.ndarray:
    """A row of figures per query, in the order of `_NAMES`.

    Args:
        hits: bool [Q, depth], whether the row at each rank is of the query's class.
        relevant: integers [Q], R of each query.
        largest: the largest R of all queries, where the ranks of `map` and `mrr` end.
    """
    recalls = [hits[:, :k].any(axis=1) for k in RECALL_AT]
    hits = hits[:, :largest]
    ranks = np.arange(1, hits.shape[1] + 1)
    at_hits = np.where(hits, np.cumsum(hits, axis=1) / ranks, 0.0)
    within_r = ranks <= relevant[:, np.newaxis]
    return np.column_stack(
        [
            *recalls,
            (hits & within_r).sum(axis=1) / relevant,
            np.where(within_r, at_hits, 0.0).sum(axis=1) / relevant,
            at_hits.sum(axis=1) / relevant,
            np.where(hits.any(axis=1), 1 / (hits.argmax(axis=1) + 1), 0.0),
        ]
    ).astype(np.float64)
