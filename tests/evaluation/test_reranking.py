import numpy as np
import pytest
from scipy.spatial.distance import cdist

from tests.helpers.examples import examples
from triplet_train.evaluation import evaluate, make_examples, pairs
from triplet_train.evaluation.reranking import rerank


def slow_distances(queries, gallery, together, k1, k2, weight):
    """The definition of Zhong et al. (2017), one image at a time.

    Args:
        queries, gallery: rows in `together` [Q], [G].
        together: the vectors of all images [N, D].
    """
    squared = cdist(together, together, "sqeuclidean")
    count = len(together)
    # An image is its own nearest, also if others are equal to it.
    order = [
        sorted(range(count), key=lambda j, i=i: (j != i, np.float32(squared[i, j]), j))
        for i in range(count)
    ]

    def mutual(i, k):
        return {j for j in order[i][: k + 1] if i in order[j][: k + 1]}

    apart = np.array([row / (row.max() or 1) for row in squared])
    codes = np.zeros((count, count))
    for i in range(count):
        own = mutual(i, k1)
        extended = set(own)
        for candidate in own:
            half = mutual(candidate, round(k1 / 2))
            if len(half & own) > 2 / 3 * len(half):
                extended |= half
        for j in extended:
            codes[i, j] = np.exp(-apart[i, j])
        codes[i] /= codes[i].sum()
    codes = np.array([np.mean([codes[j] for j in order[i][:k2]], axis=0) for i in range(count)])
    least = np.array([[np.minimum(codes[q], codes[g]).sum() for g in gallery] for q in queries])
    most = np.array([[np.maximum(codes[q], codes[g]).sum() for g in gallery] for q in queries])
    return (1 - weight) * (1 - least / most) + weight * apart[np.ix_(queries, gallery)]


def distances_of(found):
    """Re-ranked distances [Q, G] in the caller's order; infinite where ignored."""
    whole = found.distances(found.keys(slice(0, len(found.queries))))
    rows, columns = (np.argsort(part) for part in _indices(found))
    return whole[np.ix_(rows, columns)]


def _indices(found):
    return found.protocol.query_indices, found.protocol.gallery_indices


@pytest.mark.parametrize("k1, k2, weight", [(20, 6, 0.3), (5, 1, 0.0), (7, 3, 0.5), (60, 90, 0.3)])
@pytest.mark.parametrize("ties", [False, True])
def test_distances_are_those_of_the_definition(k1, k2, weight, ties):
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(5, 4))
    labels, others = np.arange(20) % 5, np.arange(40) % 5
    x, y = (centres[part] + 0.4 * rng.normal(size=(len(part), 4)) for part in (labels, others))
    if ties:
        x, y = np.round(x), np.round(y)
    found = rerank(*examples(x, labels, y, others), k1=k1, k2=k2, weight=weight)
    expected = slow_distances(range(20), range(20, 60), np.concatenate([x, y]), k1, k2, weight)
    np.testing.assert_allclose(distances_of(found), expected, atol=2e-6)


def test_in_leave_one_out_each_image_counts_once_and_ignores_itself():
    rng = np.random.default_rng(1)
    x, labels = 1e6 * rng.normal(size=(40, 3)), rng.integers(0, 4, 40)
    found = distances_of(rerank(*examples(x, labels)))
    assert np.isinf(found.diagonal()).all()
    expected = slow_distances(range(40), range(40), x, 20, 6, 0.3)
    apart = ~np.eye(40, dtype=bool)
    np.testing.assert_allclose(found[apart], expected[apart], atol=2e-6)


def test_roles_groups_and_distractors_decide_who_takes_part_but_not_the_neighbourhoods():
    rng = np.random.default_rng(2)
    x, labels = rng.normal(size=(60, 3)), rng.integers(-1, 4, 60)
    groups = rng.integers(-1, 3, 60)
    is_query, is_gallery = rng.random((2, 60)) < 0.6
    is_query &= labels >= 0
    given = make_examples(x, labels, groups, is_query, is_gallery)
    found = rerank(given)
    queries, gallery = (np.sort(part) for part in _indices(found))
    images = np.union1d(queries, gallery)
    places = [np.searchsorted(images, part) for part in (queries, gallery)]
    expected = slow_distances(*places, x[images], 20, 6, 0.3)
    ignored = queries[:, None] == gallery
    same = labels[queries][:, None] == labels[gallery]
    ignored |= same & (groups[queries][:, None] == groups[gallery]) & (groups[gallery] >= 0)
    result = distances_of(found)
    np.testing.assert_array_equal(np.isinf(result), ignored)
    np.testing.assert_allclose(result[~ignored], expected[~ignored], atol=2e-6)


def test_the_metrics_are_those_of_the_re_ranked_lists(monkeypatch):
    monkeypatch.setattr(pairs, "_BLOCK_BYTES", 4 * 90 * 7)
    rng = np.random.default_rng(3)
    labels = np.arange(90) % 6
    x = rng.normal(size=(6, 5))[labels] + rng.normal(size=(90, 5))
    result = evaluate(*examples(x, labels), reranked=True, neighbours=12)
    distances = distances_of(rerank(*examples(x, labels)))
    order = np.lexsort((labels == labels[:, None], distances), axis=1)[:, :-1]
    hits = labels[order] == labels[:, None]
    found = result.reranked
    assert found.neighbours.shape == result.neighbours.shape == (90, 12)
    for k in (1, 5, 10):
        assert found.metrics[f"recall_at_{k}"] == pytest.approx(hits[:, :k].any(axis=1).mean())
    ranks = np.arange(1, 90)
    precisions = [(np.arange(1, 15) / ranks[hit]).mean() for hit in hits]
    np.testing.assert_allclose(found.per_query["map"], precisions)
    assert found.metrics["map"] > result.metrics["map"] + 0.02
    plain = evaluate(*examples(x, labels))
    assert plain.metrics == result.metrics and plain.reranked is None
    np.testing.assert_array_equal(result.neighbours[:, :10], plain.neighbours)
    nearest = np.take_along_axis(distances, found.neighbours, axis=1)
    np.testing.assert_allclose(found.neighbour_distances, nearest, rtol=1e-6)


def test_equal_vectors_and_few_images_are_re_ranked():
    found = rerank(*examples(np.ones((30, 8)), np.arange(30) % 3))
    values = distances_of(found)[~np.eye(30, dtype=bool)]
    assert ((values >= 0) & (values <= 1)).all()
    few = evaluate(*examples(np.array([[0.0], [1.0], [5.0]]), np.array([0, 0, 1])), reranked=True)
    assert few.reranked.metrics["recall_at_1"] == 1
