"""Re-ranking by k-reciprocal neighbours."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import sparse

from triplet_train.evaluation.examples import Examples, make_examples
from triplet_train.evaluation.pairs import IGNORED, Pairs, Squared, pair_up
from triplet_train.evaluation.protocol import Protocol, make_protocol
from triplet_train.evaluation.search import indices_at

_VALUES_AT_ONCE = 2**20  # of the differences of vectors, 8 MiB


@dataclass(frozen=True)
class RerankedPairs(Pairs):
    """Pairs whose distance is a mean of that of their neighbourhoods and of their own.

    It is (1 - weight) J + weight d^2 / m, between 0 and 1. J is the Jaccard distance of the
    encoded neighbourhoods, and m the largest d^2 of the query to any image.

    Attributes:
        query_codes: float32 [Q, N], in rows; their sum is 1.
        gallery_codes: float32 [G, N], in columns.
        farthest: float64 [Q], m, in the scale of the pairs; 1 where all images are equal.
        weight: of the own distance.
    """

    query_codes: sparse.csr_array
    gallery_codes: sparse.csc_array
    farthest: np.ndarray
    weight: float

    def squared(self, block: slice) -> Iterator[Squared]:
        apart = (1 - self.weight) * self._jaccard(block)
        own = self.weight / self.farthest[block, np.newaxis]
        for columns, squared in super().squared(block):
            yield columns, apart[:, columns] + own * np.maximum(squared, 0)

    def distances(self, keys: np.ndarray) -> np.ndarray:
        return np.where(keys == IGNORED, np.inf, (keys >> np.uint32(1)).view(np.float32))

    def _jaccard(self, block: slice) -> np.ndarray:
        """Jaccard distances of a block of queries to the gallery, float32 [B, G]."""
        distances = np.empty((block.stop - block.start, len(self.gallery)), np.float32)
        ends = self.query_codes.indptr[block.start : block.stop + 1]
        for row, (start, stop) in zip(distances, pairwise(ends), strict=True):
            code = slice(start, stop)
            others = self.gallery_codes[:, self.query_codes.indices[code]]
            own = np.repeat(self.query_codes.data[code], np.diff(others.indptr))
            common = np.bincount(others.indices, np.minimum(own, others.data), len(row))
            row[:] = np.maximum(1 - common / (2 - common), 0)
        return distances


def rerank(
    queries: Examples,
    gallery: Examples | None = None,
    *,
    k1: int = 20,
    k2: int = 6,
    weight: float = 0.3,
) -> RerankedPairs:
    """Re-rank by k-reciprocal encoding (Zhong, Zheng, Cao & Li, 2017).

    All N images that are queries or in the gallery, each once, form the neighbourhoods, also those
    that a query ignores; labels and groups play no part. d is the Euclidean distance, and the k
    nearest images of an image are itself and k others, of which ties are ordered by index.

    R(i, k) are the images among the k nearest of i that have i among their k nearest. R(i, k1) is
    extended by R(c, k1 / 2) of each c in it, if more than two thirds of R(c, k1 / 2) are in
    R(i, k1). The code of i has the weight exp(-d^2 / m) for each image of the extended set, where m
    is the largest d^2 of i, and is divided by its sum. It is then replaced by the mean of the codes
    of the k2 nearest images, itself included.

    Args:
        queries, gallery: as in `make_protocol`, with a class to find.
        k1, k2, weight: the values of the paper are the defaults.

    Returns:
        The pairs. Takes O(N^2 D) time; 16 N D bytes, about 4 KiB for each image, and the blocks of
        `Pairs` with 4 bytes for each of their pairs.
    """
    searched = queries if gallery is None else gallery
    protocol = make_protocol(queries, gallery)
    vectors, asking, found = _all_images(queries.vectors, searched.vectors, protocol, gallery)
    nearest, farthest = _nearest(vectors, k1)
    codes = _codes(vectors, nearest, farthest, k1)
    some = nearest[:, :k2]
    codes = _ones(some) @ codes / np.float32(some.shape[1])
    del vectors
    pairs = pair_up(queries, searched, protocol)
    return RerankedPairs(
        pairs.queries,
        pairs.gallery,
        protocol,
        pairs.scale,
        codes[asking],
        codes[found].tocsc(),
        farthest[asking] * pairs.scale**2,
        weight,
    )


def _all_images(
    queries: np.ndarray, searched: np.ndarray, protocol: Protocol, gallery: Examples | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vectors of all images, [N, D], and the rows of the queries and of the gallery in them."""
    asking, found = protocol.query_indices, protocol.gallery_indices
    if gallery is None:
        images = np.union1d(asking, found)
        return queries[images], *(np.searchsorted(images, part) for part in (asking, found))
    first, second = np.sort(asking), np.sort(found)
    rows = np.searchsorted(first, asking), len(first) + np.searchsorted(second, found)
    return np.concatenate([queries[first], searched[second]]), *rows


def _nearest(vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Each image and its k nearest, int64 [N, k + 1], and the largest d^2 of each, float64 [N].

    The largest is 1 where all images are equal. Of fewer images all are neighbours.
    """
    images = np.arange(len(vectors))
    alone = make_examples(vectors, images)  # each a class, which ignores itself
    pairs = pair_up(alone, alone, make_protocol(alone))
    nearest = np.empty((len(images), min(k + 1, len(images))), np.int64)
    nearest[:, 0] = images
    farthest = np.empty(len(images))

    def work(strip: slice, keys: np.ndarray) -> None:
        count = nearest.shape[1] - 1
        kept = np.sort(np.partition(keys, count - 1, axis=1)[:, :count], axis=1)
        nearest[strip, 1:] = indices_at(keys, kept, images)
        farthest[strip] = pairs.distances(np.where(keys == IGNORED, 0, keys).max(axis=1)) ** 2

    pairs.each_strip(work, lambda done: None)
    return nearest, np.where(farthest > 0, farthest, 1)


def _codes(
    vectors: np.ndarray, nearest: np.ndarray, farthest: np.ndarray, k1: int
) -> sparse.csr_array:
    """Weights of the extended neighbourhoods, float32 [N, N]; each row adds up to 1."""
    mutual, halves = (_reciprocal(nearest[:, : k + 1]) for k in (k1, int(np.around(k1 / 2))))
    within = (mutual @ halves).multiply(mutual).tocsr()  # images of R(c, k1 / 2) that are in R(i)
    within.data = (3 * within.data > 2 * halves.sum(axis=1)[within.indices]).astype(np.int32)
    extended = (mutual + within @ halves).tocsr()
    extended.eliminate_zeros()
    rows = np.repeat(np.arange(len(vectors)), np.diff(extended.indptr))
    weights = np.exp(-_squared(vectors, rows, extended.indices) / farthest[rows])
    weights /= np.bincount(rows, weights)[rows]
    shape = extended.shape
    return sparse.csr_array((weights.astype(np.float32), extended.indices, extended.indptr), shape)


def _reciprocal(nearest: np.ndarray) -> sparse.csr_array:
    """1 where two images are neighbours of each other, int32 [N, N]."""
    near = _ones(nearest)
    return near.multiply(near.T).tocsr()


def _ones(nearest: np.ndarray) -> sparse.csr_array:
    """1 for each neighbour of each image, int32 [N, N]."""
    count, width = nearest.shape
    ends = np.arange(count + 1) * width
    ones = np.ones(nearest.size, np.int32)
    return sparse.csr_array((ones, nearest.reshape(-1).astype(np.int32), ends), (count, count))


def _squared(vectors: np.ndarray, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Squared distances of pairs of vectors, float64."""
    squared = np.empty(len(rows))
    step = max(1, _VALUES_AT_ONCE // vectors.shape[1])
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        apart = vectors[rows[part]].astype(np.float64) - vectors[others[part]]
        squared[part] = np.einsum("nd,nd->n", apart, apart)
    return squared
