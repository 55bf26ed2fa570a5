"""Intervals of the difference of two sides, paired by query."""

import numpy as np

_RESAMPLES = 10_000
_DRAWS_AT_ONCE = 2**17  # which stay in the cache


def difference_intervals(
    first: np.ndarray,
    other: np.ndarray,
    labels: np.ndarray,
    *,
    confidence: float = 0.95,
    seed: int = 0,
) -> np.ndarray | None:
    """Bootstrap intervals of the difference of two means over queries and runs, `first` - `other`.

    Queries of a class share their positives, and their differences are therefore dependent. So
    classes are drawn and not queries, each with all of its queries: 10,000 percentile bootstrap
    samples of C classes, the same for both sides and all metrics (the cluster bootstrap, Field &
    Welsh 2007). For few classes the deviations of the samples are widened by t / z * sqrt(C /
    (C - 1)), where t and z are the quantiles of Student's t with C - 1 degrees of freedom and of
    the normal distribution, as in the expanded percentile interval (Hesterberg 2015).

    With several runs on both sides, each sample also has a random deviation of the means of the
    runs: the standard error of their difference times a draw of Student's t with Welch's degrees of
    freedom (Welch 1947). Drawing from two or three runs themselves would give intervals that are
    too narrow. Runs of one seed are not paired. With one run on a side, the interval is for these
    towers alone.

    Args:
        first, other: float [S, M, Q], the value of each run, metric and query; S may differ.
        labels: integers [Q], the class of each query.

    Returns:
        Low and high ends, float64 [2, M]; None for queries of one class. O(10,000 C M) time and
        the memory of 10,000 means for each metric.
    """
    from scipy.special import ndtri, stdtrit

    classes, places = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        return None
    rng = np.random.default_rng(seed)
    paired = first.mean(axis=0) - other.mean(axis=0)
    sums = np.stack([np.bincount(places, values) for values in paired])
    means = paired.mean(axis=1)
    tail = (1 + confidence) / 2
    few = stdtrit(len(classes) - 1, tail) / ndtri(tail) * (len(classes) / (len(classes) - 1)) ** 0.5
    deviations = few * (_means_of_samples(sums, np.bincount(places), rng) - means)
    if min(len(first), len(other)) > 1:
        deviations += _deviations_of_runs(first.mean(axis=2), other.mean(axis=2), rng)
    ends: np.ndarray = means + np.quantile(deviations, [1 - tail, tail], axis=0)
    return ends


def _means_of_samples(sums: np.ndarray, sizes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Means over the queries of drawn classes, [resamples, M], from sums [M, C] and sizes [C]."""
    classes = len(sizes)
    means = []
    for start in range(0, _RESAMPLES, at_once := max(1, _DRAWS_AT_ONCE // classes)):
        samples = min(at_once, _RESAMPLES - start)
        drawn = rng.integers(classes, size=(samples, classes))
        drawn += classes * np.arange(samples)[:, np.newaxis]
        times = np.bincount(drawn.reshape(-1), minlength=drawn.size).reshape(drawn.shape)
        means.append(times @ sums.T / (times @ sizes)[:, np.newaxis])
    return np.concatenate(means)


def _deviations_of_runs(
    first: np.ndarray, other: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Random deviations of the difference of the means of runs [S, M], [resamples, M]."""
    freedom = np.array([[len(first) - 1], [len(other) - 1]])
    parts = np.stack([side.var(axis=0, ddof=1) / len(side) for side in (first, other)])
    variance = parts.sum(axis=0)
    shares = parts / np.where(variance > 0, variance, 1)
    welch = 1 / np.maximum((shares**2 / freedom).sum(axis=0), 1 / freedom.sum())
    drawn: np.ndarray = rng.standard_t(welch, (_RESAMPLES, len(variance))) * np.sqrt(variance)
    return drawn
