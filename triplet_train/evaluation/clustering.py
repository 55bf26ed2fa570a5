"""Clustering: agreement of k-means clusters with the classes."""

import warnings
from typing import Any

import numpy as np

_MANY_CLASSES = 100
_MOST_DISTANCES = 10**10  # of all iterations together


def nmi(vectors: np.ndarray, labels: np.ndarray, seed: int = 0) -> float:
    """Normalised mutual information of the classes and as many k-means clusters; 0 to 1.

    It is normalised by the arithmetic mean of the two entropies, as in scikit-learn, and not
    corrected for chance, which is high for classes with few images. KMeans of scikit-learn starts
    once, by k-means++. With more than 100 classes it starts from random vectors and stops after 20
    iterations, which takes seconds instead of minutes and gives slightly lower values. Where N
    times the number of classes exceeds 5 * 10^8, it stops earlier, at last after one iteration.

    Args:
        vectors: [N, D], of a length near 1.
        labels: integers [N] of at least two classes.
        seed: of the start of k-means.
    """
    # A second to import, which training starts without.
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.metrics import normalized_mutual_info_score

    classes = len(np.unique(labels))
    effort: dict[str, Any] = {}
    if classes > _MANY_CLASSES:
        iterations = _MOST_DISTANCES // (len(vectors) * classes)
        effort = {"init": "random", "max_iter": min(max(iterations, 1), 20)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct vectors than classes
        clusters = KMeans(classes, n_init=1, random_state=seed, **effort).fit_predict(vectors)
    return float(normalized_mutual_info_score(labels, clusters))
