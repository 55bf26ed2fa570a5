"""Exact search of vectors that come in blocks."""

from collections.abc import Iterable

import numpy as np

_QUERIES = 256  # at a time, of a product
_ROUNDING = 2.0**-23  # of float32, relative; twice the error of one operation


def nearest(
    queries: np.ndarray, blocks: Iterable[np.ndarray], count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest rows of each query by Euclidean distance.

    Products in float32 select the rows that can be among the nearest, within their error bound.
    The distances of these are computed in float64 from the differences.

    Args:
        queries: float32 [Q, D].
        blocks: the rows, float32 [n, D] each; at least `count` of them.
        count: k, number of rows to find.

    Returns:
        Rows, int64 [Q, k], nearest first, and of equal distance in their order; and their
        distances, float64 [Q, k]. Takes O(Q N D) time and the memory of a block.
    """
    rows = np.full((len(queries), count), -1)
    squared = np.full((len(queries), count), np.inf)
    lengths = _squares(queries)
    start = 0
    for block in filter(len, blocks):
        block_lengths = _squares(block)
        for first in range(0, len(queries), _QUERIES):
            some = slice(first, first + _QUERIES)
            with np.errstate(over="ignore", invalid="ignore"):  # these are selected
                about = lengths[some, None] + block_lengths - 2 * (queries[some] @ block.T)
                error = _error(queries.shape[1], lengths[some].max(), block_lengths.max())
            for query, estimates in enumerate(about, first):
                near = _selected(estimates, error, squared[query, -1], count)
                exact = np.square(block[near].astype(np.float64) - queries[query]).sum(axis=1)
                found = np.concatenate([squared[query], exact])
                order = np.argsort(found, kind="stable")[:count]
                squared[query] = found[order]
                rows[query] = np.concatenate([rows[query], near + start])[order]
        start += len(block)
    return rows, np.sqrt(squared)


def _squares(vectors: np.ndarray) -> np.ndarray:
    """Squared lengths, float32 [n]."""
    with np.errstate(over="ignore"):
        squares: np.ndarray = np.einsum("nd,nd->n", vectors, vectors)
    return squares


def _error(width: int, *largest: np.float32) -> float:
    """Bound of the error of a squared distance in float32, from the largest squared lengths."""
    return float(_ROUNDING * (width + 4) * np.sum(np.sqrt(largest, dtype=np.float64)) ** 2)


def _selected(estimates: np.ndarray, error: float, worst: float, count: int) -> np.ndarray:
    """Indices of rows that may be among the `count` nearest, ascending.

    Args:
        estimates: squared distances, float32 [n]; NaN or infinite where float32 overflows.
        error: their bound.
        worst: the exact squared distance of the last row found so far.
    """
    limit = worst + error
    if count <= len(estimates):
        limit = np.minimum(limit, np.partition(estimates, count - 1)[count - 1] + 2 * error)
    return np.flatnonzero(~(estimates > limit))
