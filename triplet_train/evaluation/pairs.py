"""Distances of queries and gallery, a block of queries at a time, as sortable integers."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from threadpoolctl import threadpool_limits

from triplet_train.errors import RequestError
from triplet_train.evaluation.examples import Examples
from triplet_train.evaluation.protocol import Protocol, make_protocol

_BLOCK_ROWS = 256  # of a product; with fewer, BLAS spends its time on packing the gallery
_BLOCK_BYTES = 64 * 2**20  # of keys held at a time and thread, or more: see `_rows_at_once`
_STRIP_BYTES = 4 * 2**20  # of the keys that are looked at together, which stay in the cache
_PRODUCT_BYTES = 4 * 2**20  # of float64 distances at a time, which stay in the processor's cache
_FEWEST_COLUMNS = 16  # of a product; BLAS adds up a single column in another order
_THREADS = 8
Squared = tuple[slice, np.ndarray]
_ROUNDING = 2.0**-53  # of float64, relative
IGNORED = np.float32(4.001).view(np.uint32) << np.uint32(1)  # more than any |q - g|^2 <= 4


@dataclass(frozen=True)
class Pairs:
    """Queries and the gallery that they search, in the order of a protocol.

    Attributes:
        queries, gallery: float64 [Q, D + 2] and [G, D + 2]. The product of two rows is their
            squared Euclidean distance times `scale`^2: the row of a query is (-2 q, |q|^2, 1), that
            of an image of the gallery (g, 1, |g|^2). The squares are reduced by the rounding error:
            the product of equal vectors is 0 or less.
        protocol: classes and ignored pairs.
        scale: a power of two, by which all lengths are scaled to 1 or less, without rounding.
    """

    queries: np.ndarray
    gallery: np.ndarray
    protocol: Protocol
    scale: float

    def keys(self, block: slice) -> np.ndarray:
        """Return sortable distances of a block of queries to all images, uint32 [B, G].

        A key holds the bits of the squared distance, computed in float64 and rounded to float32.
        Read as integers, they have the order of the distances. The sign bit, which is always 0, is
        shifted out. The last bit is 1 for images of the query's class, so that ties count against
        the query: of images at equal distance, those of other classes come first. Ignored images
        have the key `IGNORED`, which is larger than all others and even.
        """
        keys = np.empty((block.stop - block.start, len(self.gallery)), np.uint32)
        rounded, bits = keys.view(np.float32), keys.view(np.int32)
        for columns, squared in self.squared(block):
            rounded[:, columns] = squared
            np.maximum(bits[:, columns], 0, out=bits[:, columns])  # negative ones have the sign bit
            keys[:, columns] <<= 1
        for rows, columns in self.classes(block):
            keys[rows, columns] |= 1
        keys[self.ignored(block)] = IGNORED
        return keys

    def squared(self, block: slice) -> Iterator[Squared]:
        """Yield columns of the gallery, and the scaled squared distances to them, float64 [B, n].

        Those of nearly equal vectors may be slightly negative.
        """
        queries = self.queries[block]
        width = max(_FEWEST_COLUMNS, _PRODUCT_BYTES // (8 * len(queries)))
        for columns in _parts(len(self.gallery), width):
            yield columns, queries @ self.gallery[columns].T

    def ignored(self, block: slice) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows of the block and the columns of all ignored pairs, int64 [n] each."""
        counts = self.protocol.ignored[block]
        rows = np.repeat(np.arange(len(counts)), counts)
        past = np.cumsum(counts) - counts
        columns = np.arange(len(rows)) + (self.protocol.ignored_starts[block] - past)[rows]
        return rows, columns

    def classes(self, block: slice) -> Iterator[tuple[slice, slice]]:
        """Yield the rows of the block for each class, and the columns of that class."""
        starts, ends = self.protocol.starts[block], self.protocol.ends[block]
        bounds = np.flatnonzero(np.diff(starts) | np.diff(ends)) + 1
        for first, last in zip([0, *bounds], [*bounds, len(starts)], strict=True):
            yield slice(first, last), slice(starts[first], ends[first])

    def distances(self, keys: np.ndarray) -> np.ndarray:
        """Return the Euclidean distances of some keys, float64; that of `IGNORED` is infinite."""
        squared = np.where(keys == IGNORED, np.inf, (keys >> np.uint32(1)).view(np.float32))
        return np.sqrt(squared, dtype=np.float64) / self.scale

    def each_strip(
        self, work: Callable[[slice, np.ndarray], None], done: Callable[[int], object]
    ) -> None:
        """Call `work` on each strip of queries and its keys, in threads.

        Args:
            work: takes a slice of queries, and their keys, uint32 [n, G].
            done: called with the number of queries of each block of strips.
        """
        bytes_of_row = 4 * len(self.gallery)
        height = max(1, _STRIP_BYTES // bytes_of_row)

        def work_on(block: slice) -> None:
            keys = self.keys(block)
            for start in range(block.start, block.stop, height):
                strip = slice(start, min(start + height, block.stop))
                work(strip, keys[strip.start - block.start : strip.stop - block.start])

        count = min(_THREADS, os.cpu_count() or 1)
        blocks = _parts(len(self.queries), self._rows_at_once(count))
        # A product per thread: BLAS's own threads would wait for each other, half of the time.
        with ThreadPoolExecutor(count) as threads, threadpool_limits(1, "blas"):
            for block, _ in zip(blocks, threads.map(work_on, blocks), strict=True):
                done(block.stop - block.start)

    def _rows_at_once(self, threads: int) -> int:
        """Return the number of queries in a block.

        A product of few rows takes up to ten times as long per pair. So in a large gallery the keys
        of all threads may take as much memory as the vectors of the gallery.
        """
        most = max(_BLOCK_BYTES, self.gallery.nbytes // threads)
        return min(_BLOCK_ROWS, most // (4 * len(self.gallery)))


def make_pairs(queries: Examples, gallery: Examples | None = None) -> Pairs:
    """Pair the queries with the images of the gallery; see `make_protocol`.

    Raises:
        RequestError: dimensions differ, values are not finite, or no query has an image of its
            class to find.
    """
    searched = queries if gallery is None else gallery
    widths = [part.vectors.shape[1] for part in (queries, searched)]
    if widths[0] != widths[1]:
        raise RequestError(
            f"queries have {widths[0]} dimensions and the gallery {widths[1]}: "
            "they do not come from the same tower"
        )
    for part in (queries, searched):
        if not np.isfinite(part.vectors).all():
            raise RequestError("some vectors hold values that are not finite")
    protocol = make_protocol(queries, gallery)
    if protocol.obstacle:
        raise RequestError(f"{protocol.obstacle}, so there is nothing to evaluate")
    return pair_up(queries, searched, protocol)


def pair_up(queries: Examples, searched: Examples, protocol: Protocol) -> Pairs:
    """Return the pairs of a protocol of queries and searched images, which may be the same."""
    scale = scale_of(queries.vectors, searched.vectors)
    left = _with_squares(queries.vectors[protocol.query_indices], scale)
    right = _with_squares(searched.vectors[protocol.gallery_indices], scale)
    left[:, :-2] *= -2
    right[:, -2:] = right[:, [-1, -2]]
    return Pairs(left, right, protocol, float(scale))


def _parts(count: int, most: int) -> list[slice]:
    """Return slices of nearly equal length, at most `most` and at least 1."""
    bounds = np.linspace(0, count, -(-count // max(most, 1)) + 1, dtype=int).tolist()
    return [slice(start, stop) for start, stop in pairwise(bounds)]


def scale_of(*vectors: np.ndarray) -> np.float64:
    """Return the power of two that scales the longest vector to a length of at most 1."""
    largest = max(float(np.abs(part).max(initial=0)) for part in vectors)
    return np.ldexp(np.float64(1), -int(np.frexp(largest * vectors[0].shape[1] ** 0.5)[1]))


def _with_squares(vectors: np.ndarray, scale: np.float64) -> np.ndarray:
    """Scaled vectors, their squared lengths, and 1, float64 [N, D + 2].

    The squares are reduced by the error of a product, which grows with its terms.
    """
    rows = np.ones((len(vectors), vectors.shape[1] + 2))
    scaled = np.multiply(vectors, scale, out=rows[:, :-2])
    rows[:, -2] = (1 - rows.shape[1] * _ROUNDING) * np.einsum("nd,nd->n", scaled, scaled)
    return rows
