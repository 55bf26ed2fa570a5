"""Clustering: agreement of k-means clusters with the classes."""

import warnings
from typing import Any

import numpy as np

_MANY_CLASSES = 100
_MOST_PRODUCTS = 5 * 10**10  # of an iteration; half a minute for all on two cores


def takes_minutes(vectors: np.ndarray, labels: np.ndarray) -> bool:
    """Return True if N x D x classes exceeds 5 * 10^10, such as 14,000 x 512 x 7,000."""
    return vectors.size * len(np.unique(labels)) > _MOST_PRODUCTS


def import_ahead() -> None:
    """Import what `nmi` uses, which takes a second; in a thread, beside other work."""
    import sklearn.cluster
    import sklearn.metrics  # noqa: F401


def nmi(vectors: np.ndarray, labels: np.ndarray, seed: int = 0) -> float:
    """Normalised mutual information of the classes and as many k-means clusters; 0 to 1.

    It is normalised by the arithmetic mean of the two entropies, as in scikit-learn, and not
    corrected for chance, which is high for classes with few images. KMeans of scikit-learn starts
    once, by k-means++. With more than 100 classes it starts from random vectors and stops after 20
    iterations, which takes a fraction of the time and gives slightly lower values.

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
        effort = {"init": "random", "max_iter": 20}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct vectors than classes
        clusters = KMeans(classes, n_init=1, random_state=seed, **effort).fit_predict(vectors)
    return float(normalized_mutual_info_score(labels, clusters))
