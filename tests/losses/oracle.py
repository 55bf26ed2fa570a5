"""The losses as the slowest, plainest loops that one could write: the oracle for the fast ones."""

import numpy as np


def distances(x: np.ndarray, metric: str) -> np.ndarray:
    x = np.asarray(x, np.float64)
    if metric == "angular":
        x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-6)
        d = np.maximum(1 - x @ x.T, 0)
        np.fill_diagonal(d, 0)
        return d
    d = ((x[:, np.newaxis] - x) ** 2).sum(axis=2)
    return d if metric == "squared-L2" else np.sqrt(d)


def positives_and_negatives(labels: np.ndarray):
    """(anchor, its positives, its negatives) for each valid anchor."""
    labels = np.reshape(labels, -1)
    for a, label in enumerate(labels):
        positives = [p for p in range(len(labels)) if p != a and labels[p] == label]
        negatives = [n for n in range(len(labels)) if labels[n] != label]
        if positives and negatives:
            yield a, positives, negatives


def hard(x, labels, margin=1.0, soft=False, metric="L2"):
    d, terms = distances(x, metric), []
    for a, positives, negatives in positives_and_negatives(labels):
        gap = max(d[a, positives]) - min(d[a, negatives])
        terms.append(np.logaddexp(0, gap) if soft else max(0.0, gap + margin))
    return np.mean(terms) if terms else 0.0


def semi_hard(x, labels, margin=1.0, metric="L2"):
    d, terms = distances(x, metric), []
    for a, positives, negatives in positives_and_negatives(labels):
        for p in positives:
            beyond = [d[a, n] for n in negatives if d[a, n] > d[a, p]]
            chosen = min(beyond) if beyond else max(d[a, negatives])
            terms.append(max(0.0, d[a, p] - chosen + margin))
    return np.mean(terms) if terms else 0.0


def batch_all_terms(x, labels, margin=1.0, metric="L2"):
    d = distances(x, metric)
    return [
        max(0.0, d[a, p] - d[a, n] + margin)
        for a, positives, negatives in positives_and_negatives(labels)
        for p in positives
        for n in negatives
    ]


def batch_all(x, labels, margin=1.0, metric="L2"):
    terms = batch_all_terms(x, labels, margin, metric)
    return np.mean(terms) if terms else 0.0
