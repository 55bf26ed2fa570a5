"""Bootstrap 95 % intervals of means over queries, and of paired differences of two sides."""

from collections.abc import Iterable

import numpy as np

RESAMPLES = 10_000
_DRAWS_AT_ONCE = 2**17  # which stay in the cache
_TAIL = 0.975


def mean_intervals(values: np.ndarray, labels: np.ndarray) -> np.ndarray | None:
    """Bootstrap intervals of means over queries, for other classes and images such as these.

    Queries of a class share their positives, and their values are therefore dependent. So classes
    are drawn and not queries, each with all of its queries: 10,000 percentile bootstrap samples of
    C classes, the same for all metrics (the cluster bootstrap, Field & Welsh 2007). For few classes
    the deviations of the samples are widened by t / z * sqrt(C / (C - 1)), where t and z are the
    quantiles of Student's t with C - 1 degrees of freedom and of the normal distribution, as in the
    expanded percentile interval (Hesterberg 2015): 9.2 times for two classes, 2.7 for three, 1.2
    for ten. Ends may be values that no metric can have, see `by_metric`.

    The tower is fixed: the interval does not cover another seed of the training. Its width is 0
    where all classes have the same mean; the true mean may then still differ by about 3 / C.

    Args:
        values: float [M, Q], of each metric and query.
        labels: integers [Q], the class of each query.

    Returns:
        Low and high ends, float64 [2, M]; None for queries of one class. The result is
        deterministic. O(10,000 C M) time and the memory of 10,000 means for each metric.
    """
    deviations = _deviations_of_classes(values, labels, np.random.default_rng(0))
    return None if deviations is None else _ends(values, deviations)


def difference_intervals(
    first: np.ndarray, other: np.ndarray, labels: np.ndarray
) -> np.ndarray | None:
    """Bootstrap intervals of the difference of two means over queries and runs, `first` - `other`.

    Classes are drawn as in `mean_intervals`, the same for both sides. With several runs on both
    sides, each sample also has a random deviation of the means of the runs: the standard error of
    their difference times a quantile of Student's t with Welch's degrees of freedom (Welch 1947),
    at 10,000 even levels in random order. Drawing from two or three runs themselves would give
    intervals that are too narrow. Runs of one seed are not paired. With one run on a side, the
    interval is for these towers alone.

    Args:
        first, other: float [S, M, Q], the value of each run, metric and query; S may differ.
        labels: integers [Q], the class of each query.

    Returns:
        As `mean_intervals`.
    """
    rng = np.random.default_rng(0)
    paired = first.mean(axis=0) - other.mean(axis=0)
    deviations = _deviations_of_classes(paired, labels, rng)
    if deviations is None:
        return None
    if min(len(first), len(other)) > 1:
        deviations += _deviations_of_runs(first.mean(axis=2), other.mean(axis=2), rng)
    return _ends(paired, deviations)


def by_metric(
    names: Iterable[str], ends: np.ndarray | None, least: float
) -> dict[str, tuple[float, float]]:
    """Low and high end of each metric, from `least` to 1, its possible values; {} without ends."""
    if ends is None:
        return {}
    return dict(zip(names, map(tuple, ends.clip(least, 1).T.tolist()), strict=True))


def _ends(values: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    ends: np.ndarray = values.mean(axis=1) + np.quantile(deviations, [1 - _TAIL, _TAIL], axis=0)
    return ends


def _deviations_of_classes(
    values: np.ndarray, labels: np.ndarray, rng: np.random.Generator
) -> np.ndarray | None:
    """Widened deviations of the means of samples, [resamples, M]; None for one class."""
    from scipy.special import ndtri, stdtrit  # time to import, which training starts without

    names, places = np.unique(labels, return_inverse=True)
    classes = len(names)
    if classes < 2:
        return None
    sums = np.stack([np.bincount(places, each) for each in values], axis=1)
    sizes = np.bincount(places)
    means = np.empty((RESAMPLES, len(values)))
    for start in range(0, RESAMPLES, at_once := max(1, _DRAWS_AT_ONCE // classes)):
        samples = min(at_once, RESAMPLES - start)
        drawn = rng.integers(classes, size=(samples, classes))
        drawn += classes * np.arange(samples)[:, np.newaxis]
        times = np.bincount(drawn.reshape(-1), minlength=drawn.size).reshape(drawn.shape)
        means[start : start + samples] = times @ sums / (times @ sizes)[:, np.newaxis]
    few = stdtrit(classes - 1, _TAIL) / ndtri(_TAIL) * (classes / (classes - 1)) ** 0.5
    deviations: np.ndarray = few * (means - values.mean(axis=1))
    return deviations


def _deviations_of_runs(
    first: np.ndarray, other: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Random deviations of the difference of the means of runs [S, M], [resamples, M]."""
    from scipy.special import stdtrit

    freedom = np.array([[len(first) - 1], [len(other) - 1]])
    parts = np.stack([side.var(axis=0, ddof=1) / len(side) for side in (first, other)])
    variance = parts.sum(axis=0)
    shares = parts / np.where(variance > 0, variance, 1)
    welch = 1 / np.maximum((shares**2 / freedom).sum(axis=0), 1 / freedom.sum())
    levels = (rng.permutation(RESAMPLES)[:, np.newaxis] + 0.5) / RESAMPLES  # the tails are heavy
    drawn: np.ndarray = stdtrit(welch, levels) * np.sqrt(variance)
    return drawn
