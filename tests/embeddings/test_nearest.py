"""The exact search in blocks, against all distances in float64."""

import numpy as np
import pytest

from triplet_train.embeddings.nearest import nearest


def slow(queries, vectors, count):
    """Rows and distances of the nearest, of equal ones the first."""
    apart = vectors[None].astype(np.float64) - queries[:, None]
    distances = np.sqrt((apart**2).sum(2))
    rows = np.argsort(distances, axis=1, kind="stable")[:, :count]
    return rows, np.take_along_axis(distances, rows, 1)


def blocks(vectors, size):
    return (vectors[at : at + size] for at in range(0, len(vectors), size))


def unit(rng, shape):
    vectors = rng.normal(size=shape)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("size", [1, 7, 100, 1000])
@pytest.mark.parametrize("width", [1, 3, 64])
def test_the_nearest_rows_are_those_of_all_distances(size, width):
    rng = np.random.default_rng(width)
    vectors, queries = unit(rng, (300, width)), unit(rng, (5, width))
    queries[0] = vectors[123]
    rows, distances = nearest(queries, blocks(vectors, size), 10)
    others, expected = slow(queries, vectors, 10)
    assert np.array_equal(rows, others) and np.array_equal(distances, expected)


def test_equal_vectors_are_found_in_their_order_at_distance_0():
    vector = unit(np.random.default_rng(0), (1, 48))
    rows, distances = nearest(vector, blocks(vector.repeat(50, 0), 8), 12)
    assert rows.tolist() == [list(range(12))] and not distances.any()


def test_vectors_that_float32_can_hardly_tell_apart_are_ranked_right():
    rng = np.random.default_rng(1)
    vectors = 1000 + rng.normal(0, 1e-3, (200, 16)).astype(np.float32)
    queries = vectors[:3] + np.float32(1e-4)
    rows, distances = nearest(queries, blocks(vectors, 64), 5)
    others, expected = slow(queries, vectors, 5)
    assert np.array_equal(rows, others) and np.array_equal(distances, expected)


def test_lengths_whose_squares_overflow_are_ranked_right():
    vectors = np.float32([[1e30, 0], [1, 0], [-1e30, 0], [3e30, 0]])
    rows, distances = nearest(np.float32([[9e29, 0], [2, 0]]), blocks(vectors, 2), 4)
    assert rows.tolist() == [[0, 1, 2, 3], [1, 0, 2, 3]]
    assert np.isfinite(distances).all()


def test_more_queries_than_are_multiplied_at_a_time_and_empty_blocks():
    vectors = unit(np.random.default_rng(2), (600, 8))
    parts = [vectors[:0], vectors[:301], vectors[:0], vectors[301:]]
    rows, _ = nearest(vectors, parts, 1)
    assert rows[:, 0].tolist() == list(range(600))
