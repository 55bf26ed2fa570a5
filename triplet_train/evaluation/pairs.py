"""The distances of queries and gallery, a block of rows at a time, in a form that sorts."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from threadpoolctl import threadpool_limits

from triplet_train.errors import RequestError

_BLOCK_BYTES = 16 * 2**20  # of keys held at a time and thread
_PRODUCT_BYTES = 4 * 2**20  # of float64 distances at a time, which stay in the processor's cache
_FEWEST_COLUMNS = 16  # of these; BLAS adds up a product of one column in another order
_THREADS = 8
_ROUNDING = 2.0**-53  # of float64, relative
_ITSELF = np.float32(np.inf).view(np.uint32) << np.uint32(1)


@dataclass(frozen=True)
class Pairs:
    """Queries and the gallery they search, both in the order of their classes.

    So the gallery rows of a query's class lie side by side.

    Attributes:
        queries: float64 [Q, D + 2] and
        gallery: float64 [G, D + 2], whose products are the squared Euclidean distances times
            `scale`^2: a query is (-2 q, |q|^2, 1), a row of the gallery (g, 1, |g|^2). The squares
            are lowered by what rounding may add, so that equal vectors are at 0 or below.
        query_rows, gallery_rows: int64 [Q] and [G], where the caller has them.
        gallery_labels: int64 [G].
        starts, ends: int64 [Q], the part of the gallery that is of the query's class.
        itself: whether the gallery is the queries, so that each row leaves itself out.
        scale: a power of two, which brings all to length 1 or less, without rounding.
    """

    queries: np.ndarray
    gallery: np.ndarray
    query_rows: np.ndarray
    gallery_rows: np.ndarray
    gallery_labels: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    itself: bool
    scale: float

    @property
    def relevant(self) -> np.ndarray:
        """int64 [Q], R: rows of the query's class to find, itself not among them."""
        return np.maximum(self.ends - self.starts - int(self.itself), 0)

    def keys(self, block: slice) -> np.ndarray:
        """uint32 [B, G]: distances of some queries to the whole gallery, in a form that sorts.

        A key is the float32 of the squared distance, which was worked out in float64; its bits, as
        an integer, have the order of the numbers. The sign, which is always plus, makes room for a
        last bit: 1 where the row is of the query's class. So of rows at equal distance those of
        other classes come first. A row itself is infinitely far.
        """
        queries = self.queries[block]
        keys = np.empty((len(queries), len(self.gallery)), np.uint32)
        squared = keys.view(np.float32)
        width = max(_FEWEST_COLUMNS, _PRODUCT_BYTES // (8 * len(queries)))
        parts = -(-len(self.gallery) // width)
        bounds = np.linspace(0, len(self.gallery), parts + 1, dtype=int).tolist()
        for start, stop in pairwise(bounds):
            product = queries @ self.gallery[start:stop].T
            np.maximum(product, 0, out=squared[:, start:stop], casting="same_kind")
        keys <<= 1
        for rows, columns in self.classes(block):
            keys[rows, columns] |= 1
        if self.itself:
            each = np.arange(len(keys))
            keys[each, block.start + each] = _ITSELF
        return keys

    def classes(self, block: slice) -> Iterator[tuple[slice, slice]]:
        """Rows of the block that share a class, and the columns of that class."""
        starts, ends = self.starts[block], self.ends[block]
        bounds = np.flatnonzero(np.diff(starts) | np.diff(ends)) + 1
        for first, last in zip([0, *bounds], [*bounds, len(starts)], strict=True):
            yield slice(first, last), slice(starts[first], ends[first])

    def distances(self, keys: np.ndarray) -> np.ndarray:
        """float64 Euclidean distances that keys stand for."""
        return np.sqrt((keys >> np.uint32(1)).view(np.float32), dtype=np.float64) / self.scale

    def each_block(self, work: Callable[[slice], None], done: Callable[[int], object]) -> None:
        """`work` on each block of queries, in threads; `done` is told how many queries it was."""
        size = max(1, _BLOCK_BYTES // (4 * len(self.gallery)))
        blocks = [
            slice(start, min(start + size, len(self.queries)))
            for start in range(0, len(self.queries), size)
        ]
        threads = ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1))
        # A product per thread: BLAS's own threads would wait for each other, half of the time.
        with threads, threadpool_limits(1, "blas"):
            for block, _ in zip(blocks, threads.map(work, blocks), strict=True):
                done(block.stop - block.start)


def make_pairs(
    queries: np.ndarray,
    query_labels: np.ndarray,
    gallery: np.ndarray | None = None,
    gallery_labels: np.ndarray | None = None,
) -> Pairs:
    """Every query with every row of the gallery; without one, with all the other queries.

    Args:
        queries: [Q, D] vectors of any length.
        query_labels: integers [Q].
        gallery, gallery_labels: [G, D] and [G].

    Raises:
        RequestError: dimensions differ, values that are not finite, or no query has a row of its
            class to find.
    """
    itself = gallery is None
    if gallery is None or gallery_labels is None:
        gallery, gallery_labels = queries, query_labels
    if queries.shape[1] != gallery.shape[1]:
        raise RequestError(
            f"queries have {queries.shape[1]} dimensions and the gallery {gallery.shape[1]}: "
            "they do not come from the same tower"
        )
    for vectors in (queries, gallery):
        if not np.isfinite(vectors).all():
            raise RequestError("some vectors hold values that are not finite")
    if itself and len(np.unique(query_labels)) == len(query_labels):
        raise RequestError("no two images share a class, so there is nothing to evaluate")
    if not np.isin(query_labels, gallery_labels).any():
        raise RequestError(
            "no query has an image of its class in the gallery, so there is nothing to evaluate"
        )
    scale = _scale(queries, gallery)
    query_rows, gallery_rows = (
        np.argsort(labels, kind="stable") for labels in (query_labels, gallery_labels)
    )
    left, right = queries[query_rows] * scale, gallery[gallery_rows] * scale
    gallery_labels = np.asarray(gallery_labels)[gallery_rows]
    query_labels = np.asarray(query_labels)[query_rows]
    return Pairs(
        np.column_stack([-2 * left, _squares(left), np.ones(len(left))]),
        np.column_stack([right, np.ones(len(right)), _squares(right)]),
        query_rows,
        gallery_rows,
        gallery_labels.astype(np.int64),
        np.searchsorted(gallery_labels, query_labels, "left"),
        np.searchsorted(gallery_labels, query_labels, "right"),
        itself,
        float(scale),
    )


def _scale(*vectors: np.ndarray) -> np.float64:
    """The power of two that brings the longest vector to length 1 or somewhat less."""
    largest = max(float(np.abs(part).max(initial=0)) for part in vectors)
    return np.ldexp(np.float64(1), -int(np.frexp(largest * vectors[0].shape[1] ** 0.5)[1]))


def _squares(vectors: np.ndarray) -> np.ndarray:
    """Squared lengths, less the error of a product of so many terms, which grows with these."""
    error = (vectors.shape[1] + 2) * _ROUNDING
    return (1 - error) * np.einsum("nd,nd->n", vectors, vectors)
