"""Distances of queries and gallery, a block of queries at a time, as sortable integers."""

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
_FEWEST_COLUMNS = 16  # of a product; BLAS adds up a single column in another order
_THREADS = 8
_ROUNDING = 2.0**-53  # of float64, relative
_ITSELF = np.float32(np.inf).view(np.uint32) << np.uint32(1)


@dataclass(frozen=True)
class Pairs:
    """Queries and the gallery that they search, both sorted by class.

    The gallery images of a query's class are therefore adjacent.

    Attributes:
        queries, gallery: float64 [Q, D + 2] and [G, D + 2]. The product of two rows is their
            squared Euclidean distance times `scale`^2: the row of a query is (-2 q, |q|^2, 1), that
            of an image of the gallery (g, 1, |g|^2). The squares are reduced by the rounding error:
            the product of equal vectors is 0 or less.
        query_indices, gallery_indices: int64 [Q] and [G], the indices in the caller's arrays.
        starts, ends: int64 [Q], the slice of the gallery with the query's class.
        leave_one_out: the gallery is the queries, and each query leaves itself out.
        scale: a power of two, by which all lengths are scaled to 1 or less, without rounding.
    """

    queries: np.ndarray
    gallery: np.ndarray
    query_indices: np.ndarray
    gallery_indices: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    leave_one_out: bool
    scale: float

    @property
    def relevant(self) -> np.ndarray:
        """R of each query: number of gallery images of its class without itself, int64 [Q]."""
        return np.maximum(self.ends - self.starts - int(self.leave_one_out), 0)

    def keys(self, block: slice) -> np.ndarray:
        """Return sortable distances of a block of queries to all images, uint32 [B, G].

        A key holds the bits of the squared distance, computed in float64 and rounded to float32.
        Read as integers, they have the order of the distances. The sign bit, which is always 0, is
        shifted out. The last bit is 1 for images of the query's class, so that ties count against
        the query: of images at equal distance, those of other classes come first. In leave-one-out
        the query itself has an infinite distance.
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
        if self.leave_one_out:
            each = np.arange(len(keys))
            keys[each, block.start + each] = _ITSELF
        return keys

    def classes(self, block: slice) -> Iterator[tuple[slice, slice]]:
        """Yield the rows of the block for each class, and the columns of that class."""
        starts, ends = self.starts[block], self.ends[block]
        bounds = np.flatnonzero(np.diff(starts) | np.diff(ends)) + 1
        for first, last in zip([0, *bounds], [*bounds, len(starts)], strict=True):
            yield slice(first, last), slice(starts[first], ends[first])

    def distances(self, keys: np.ndarray) -> np.ndarray:
        """Return the Euclidean distances of some keys, float64."""
        return np.sqrt((keys >> np.uint32(1)).view(np.float32), dtype=np.float64) / self.scale

    def each_block(self, work: Callable[[slice], None], done: Callable[[int], object]) -> None:
        """Call `work` on each block of queries in threads, and `done` with the size of each."""
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
    """Pair every query with every image of the gallery; without one, with all other queries.

    Args:
        queries: [Q, D] vectors of any length.
        query_labels: integers [Q].
        gallery, gallery_labels: [G, D] and [G].

    Raises:
        RequestError: dimensions differ, values are not finite, or no query has an image of its
            class to find.
    """
    leave_one_out = gallery is None
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
    if leave_one_out and len(np.unique(query_labels)) == len(query_labels):
        raise RequestError("no two images share a class, so there is nothing to evaluate")
    if not np.isin(query_labels, gallery_labels).any():
        raise RequestError(
            "no query has an image of its class in the gallery, so there is nothing to evaluate"
        )
    scale = _scale(queries, gallery)
    query_indices, gallery_indices = (
        np.argsort(labels, kind="stable") for labels in (query_labels, gallery_labels)
    )
    left, right = queries[query_indices] * scale, gallery[gallery_indices] * scale
    gallery_labels = np.asarray(gallery_labels)[gallery_indices]
    query_labels = np.asarray(query_labels)[query_indices]
    return Pairs(
        np.column_stack([-2 * left, _squares(left), np.ones(len(left))]),
        np.column_stack([right, np.ones(len(right)), _squares(right)]),
        query_indices,
        gallery_indices,
        np.searchsorted(gallery_labels, query_labels, "left"),
        np.searchsorted(gallery_labels, query_labels, "right"),
        leave_one_out,
        float(scale),
    )


def _scale(*vectors: np.ndarray) -> np.float64:
    """Return the power of two that scales the longest vector to a length of at most 1."""
    largest = max(float(np.abs(part).max(initial=0)) for part in vectors)
    return np.ldexp(np.float64(1), -int(np.frexp(largest * vectors[0].shape[1] ** 0.5)[1]))


def _squares(vectors: np.ndarray) -> np.ndarray:
    """Squared lengths, reduced by the error of a product, which grows with its terms."""
    error = (vectors.shape[1] + 2) * _ROUNDING
    return (1 - error) * np.einsum("nd,nd->n", vectors, vectors)
