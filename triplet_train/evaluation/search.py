"""What each query finds: its nearest rows, and the figures that follow from their order."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from triplet_train.evaluation.pairs import Pairs

RECALL_AT = (1, 5, 10)
PRECISION_AT = (5, 10)
NEIGHBOURS = 10
NAMES = (
    *(f"recall_at_{k}" for k in RECALL_AT),
    *(f"precision_at_{k}" for k in PRECISION_AT),
    "r_precision",
    "map_at_r",
    "map",
    "mrr",
)

SeeBlock = Callable[[slice, np.ndarray], None]


@dataclass(frozen=True)
class SearchResult:
    """What the queries with a row of their class in the gallery found, in the caller's order.

    Attributes:
        rows: int64 [Q'], which queries these are.
        per_query: figure -> float64 [Q'], by the names in `NAMES`.
        neighbours: int64 [Q', k], the nearest rows of the gallery, nearest first; k is 10, or all
            there are.
        neighbour_distances: float32 [Q', k], Euclidean.
    """

    rows: np.ndarray
    per_query: dict[str, np.ndarray]
    neighbours: np.ndarray
    neighbour_distances: np.ndarray


def search(
    pairs: Pairs, done: Callable[[int], object], see: SeeBlock = lambda block, keys: None
) -> SearchResult:
    """Exact search, in O(Q G (D + log G)) time and the memory of a block of distances per thread.

    Args:
        pairs: who searches what.
        done: is told how many queries are done each time.
        see: is shown every block and its keys, from several threads; they are not to be changed.
    """
    reach = len(pairs.gallery) - int(pairs.itself)
    table = np.empty((len(pairs.queries), len(NAMES)))
    neighbours = np.empty((len(table), min(NEIGHBOURS, reach)), np.int64)
    distances = np.empty(neighbours.shape, np.float32)

    def work(block: slice) -> None:
        keys = pairs.keys(block)
        see(block, keys)
        ranked = np.sort(keys, axis=1)
        rows, relevant = pairs.query_rows[block], pairs.relevant[block]
        hits = (ranked.astype(np.uint8) & np.uint8(1)).view(bool)
        for query in np.flatnonzero(relevant):
            table[rows[query]] = figures_of(np.flatnonzero(hits[query]) + 1)
        kept = ranked[:, : neighbours.shape[1]]
        distances[rows] = pairs.distances(kept)
        neighbours[rows] = _rows_at(keys, kept, pairs.gallery_rows)

    pairs.each_block(work, done)
    judged = np.sort(pairs.query_rows[pairs.relevant > 0])
    per_query = dict(zip(NAMES, table[judged].T, strict=True))
    return SearchResult(judged, per_query, neighbours[judged], distances[judged])


def figures_of(ranks: np.ndarray) -> list[float]:
    """The figures of a query, in the order of `NAMES`.

    Args:
        ranks: int64 [R], at least one, ascending: the ranks in the whole gallery, from 1, of the
            rows of the query's class.
    """
    r = len(ranks)
    precisions = np.arange(1, r + 1) / ranks
    *found, within_r = np.searchsorted(ranks, [*PRECISION_AT, r], "right").tolist()
    return [
        *(float(ranks[0] <= k) for k in RECALL_AT),
        *(count / k for count, k in zip(found, PRECISION_AT, strict=True)),
        within_r / r,
        precisions[:within_r].sum() / r,
        precisions.sum() / r,
        1 / ranks[0],
    ]


def _rows_at(keys: np.ndarray, nearest: np.ndarray, gallery_rows: np.ndarray) -> np.ndarray:
    """int64 [B, k], the gallery rows whose keys are `nearest`; of equal keys the first rows.

    Args:
        keys: uint32 [B, G].
        nearest: uint32 [B, k], the k smallest of each row, sorted.
        gallery_rows: int64 [G], the caller's number of each column.
    """
    query, column = np.divmod(np.flatnonzero(keys <= nearest[:, -1:]), keys.shape[1])
    row = gallery_rows[column]
    order = np.lexsort((row, keys[query, column], query))
    first = np.searchsorted(query, np.arange(len(keys)))
    return row[order[first[:, np.newaxis] + np.arange(nearest.shape[1])]]
