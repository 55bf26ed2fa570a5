"""Losses as plain, slow loops: the reference for the fast ones."""

from typing import NamedTuple

import numpy as np


class Term(NamedTuple):
    """A triplet that counts, its value, and the slope of the value in D_ap - D_an."""

    anchor: int
    positive: int
    negative: int
    value: float
    slope: float


def loss(strategy, x, labels, margin=1.0, metric="L2", soft=False, nonzero=False, mined_as=float):
    """(value, gradient [B, D]) in float64; distances are compared in the precision `mined_as`."""
    x = np.asarray(x, np.float64)
    d = distances(x, metric).astype(mined_as).astype(np.float64)
    terms = [
        Term(a, p, n, *hinge(d[a, p] - d[a, n], margin, soft))
        for a, positives, negatives in valid_anchors(labels)
        for p, n in STRATEGIES[strategy](d[a], positives, negatives)
    ]
    if nonzero:
        terms = [term for term in terms if term.value > 0]
    gradient = np.zeros_like(x)
    for a, p, n, _, slope in terms:
        for other, sign in ((p, slope), (n, -slope)):
            of_anchor, of_other = distance_gradient(x[a], x[other], metric)
            gradient[a] += sign * of_anchor / len(terms)
            gradient[other] += sign * of_other / len(terms)
    return (np.mean([term.value for term in terms]) if terms else 0.0), gradient


def hard(d, positives, negatives):
    return [(max(positives, key=lambda p: d[p]), min(negatives, key=lambda n: d[n]))]


def semi_hard(d, positives, negatives):
    for p in positives:
        beyond = [n for n in negatives if d[n] > d[p]]
        yield p, min(beyond, key=lambda n: d[n]) if beyond else max(negatives, key=lambda n: d[n])


def easy_positive(d, positives, negatives):
    return semi_hard(d, [min(positives, key=lambda p: d[p])], negatives)


def batch_all(d, positives, negatives):
    return [(p, n) for p in positives for n in negatives]


# name -> (distances [B] of an anchor, its positives, its negatives) -> triplets that count
STRATEGIES = {
    "hard": hard,
    "semi_hard": semi_hard,
    "easy_positive": easy_positive,
    "batch_all": batch_all,
}


def hinge(gap, margin, soft):
    if soft:
        return np.logaddexp(0, gap), 1 / (1 + np.exp(-gap)) if gap > -700 else 0.0
    return max(0.0, gap + margin), float(gap + margin > 0)


def valid_anchors(labels):
    """Yield each anchor that has positives and negatives, with these."""
    labels = np.reshape(labels, -1)
    for a, label in enumerate(labels):
        positives = [p for p in range(len(labels)) if p != a and labels[p] == label]
        negatives = [n for n in range(len(labels)) if labels[n] != label]
        if positives and negatives:
            yield a, positives, negatives


def distances(x, metric):
    x = np.asarray(x, np.float64)
    return np.array([[distance(a, b, metric) for b in x] for a in x])


def distance(a, b, metric):
    if metric == "angular":
        a, b = direction(a), direction(b)
        same = a.any() and (a == b).all()  # where 1 - cosine would be off by rounding
        return 0.0 if same else 1 - (a * b).sum()
    squared = ((a - b) ** 2).sum()
    return squared if metric == "squared-L2" else np.sqrt(squared)


def distance_gradient(a, b, metric):
    """Gradients of the distance with respect to a and to b; zero where it has none."""
    if metric == "squared-L2":
        return 2 * (a - b), 2 * (b - a)
    if metric == "L2":
        apart = np.sqrt(((a - b) ** 2).sum())
        unit = (a - b) / apart if apart > 0 else np.zeros_like(a)
        return unit, -unit
    u, v = direction(a), direction(b)
    cosine = (u * v).sum()
    return tuple(
        (cosine * own - other) / np.linalg.norm(whole) if own.any() else np.zeros_like(own)
        for own, other, whole in ((u, v, a), (v, u, b))
    )


def direction(a):
    length = np.linalg.norm(a)
    return a / length if length > 1e-6 else np.zeros_like(a)
