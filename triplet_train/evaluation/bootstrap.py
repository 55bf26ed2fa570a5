"""How far a mean over queries could be off by the choice of the queries."""

import numpy as np

_RESAMPLES = 1000
_BATCH = 10  # resamples held at a time


def intervals(
    per_query: dict[str, np.ndarray], *, confidence: float = 0.95, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Percentile bootstrap intervals of the means, by scipy.stats.bootstrap.

    1,000 times as many queries as there are, are drawn from them with replacement, the same draws
    for every figure. The interval says how much the mean varies with the queries drawn, the tower
    and the gallery being what they are. It does not cover another seed of the training, another
    gallery, or queries of other classes than these; nor, in leave-one-out, that a query is also
    what others find. Where all queries have the same value, its width is 0, which says no more
    than that 3 / Q would be too much of a change to go unseen.

    Args:
        per_query: figure -> [Q].

    Returns:
        Low and high end by figure; nothing for fewer than two queries. O(1,000 Q) time, 80 Q bytes
        and as many for each figure.
    """
    from scipy.stats import bootstrap  # a second to import, which training starts without

    values = np.stack(list(per_query.values()))
    if values.shape[1] < 2:
        return {}
    found = bootstrap(
        (values,),
        np.mean,
        axis=-1,
        n_resamples=_RESAMPLES,
        batch=_BATCH,
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    ends = zip(found.low.tolist(), found.high.tolist(), strict=True)
    return dict(zip(per_query, ends, strict=True))
