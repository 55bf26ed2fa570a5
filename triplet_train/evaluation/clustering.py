"""Clustering: do the vectors fall into groups that are the classes?"""

import warnings
from typing import Any

import numpy as np

_MANY_CLASSES = 100
_MOST_DISTANCES = 10**10  # worked out in all iterations together


def nmi(vectors: np.ndarray, labels: np.ndarray, seed: int = 0) -> float:
    """Normalised mutual information of the classes and as many clusters of k-means; 0 to 1.

    Normalised by the arithmetic mean of the two entropies, as in scikit-learn, whose KMeans finds
    the clusters from one start by k-means++; beyond 100 classes from random rows and in at most 20
    iterations, which takes seconds instead of minutes and ends a little lower. Where N times the
    number of classes is more than 5 * 10^8 there are fewer iterations, in the end a single one. Not
    corrected for chance, which is high where classes have few rows.

    Args:
        vectors: [N, D], of length 1 or so.
        labels: integers [N] of at least two classes.
        seed: decides where k-means starts.
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
