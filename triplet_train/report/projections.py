"""Projections of vectors to two dimensions."""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

MOST_SHOWN = 2_000
FEWEST_FOR_TSNE = 30


def balanced_sample(labels: np.ndarray, most: int = MOST_SHOWN, seed: int = 0) -> np.ndarray:
    """Draw at most `most` images at random, the same number of each class if it has as many.

    Args:
        labels: integers [N].

    Returns:
        int64 [min(N, most)], their indices, ascending.
    """
    if len(labels) <= most:
        return np.arange(len(labels))
    random = np.random.default_rng(seed)
    drawn = random.permutation(len(labels))
    by_class = drawn[np.argsort(labels[drawn], kind="stable")]
    _, starts, counts = np.unique(labels[by_class], return_index=True, return_counts=True)
    turn = np.arange(len(labels)) - np.repeat(starts, counts)  # of an image within its class
    lots = random.permutation(len(labels))  # which classes have an image more than others
    return np.sort(by_class[np.lexsort((lots, turn))[:most]])


def pca_map(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Project the vectors to the plane with the largest variance.

    Args:
        vectors: [N, D], not all equal, D at least 2.

    Returns:
        float [N, 2], and the share of the variance along each of the two axes.
    """
    pca = PCA(2, svd_solver="full")
    return pca.fit_transform(vectors.astype(np.float64)), pca.explained_variance_ratio_


def tsne_map(vectors: np.ndarray, seed: int = 0) -> np.ndarray:
    """Project the vectors to the plane by t-SNE, which keeps neighbours together.

    Args:
        vectors: [N, D], at least `FEWEST_FOR_TSNE` of them distinct, D at least 2.

    Returns:
        float [N, 2].
    """
    tsne = TSNE(
        2, perplexity=min(30, len(vectors) // 4), init="pca", max_iter=500, random_state=seed
    )
    with threadpool_limits(1):  # its many small parallel parts are slower on two busy cores
        return tsne.fit_transform(vectors / np.abs(vectors).max())  # of any length
