"""A note on sets in which nearly every image has a near-copy."""

import numpy as np

from triplet_train.evaluation.verification import PairCounts

_FEWEST = 20  # queries, of which a share says something
_NEARLY_ALL = 0.9  # of the queries
_OF_ONE_CLASS = 0.25  # of the median distance of pairs of one class
_OF_TWO_CLASSES = 0.05


def near_copies_note(nearest: np.ndarray, counts: PairCounts) -> str | None:
    """Return a note if nearly all queries have an image at a distance close to 0.

    Close to 0 is a quarter of the median distance of pairs of one class, or a twentieth of that of
    pairs of two. Images that a good tower puts into one class are farther apart: for MNIST at a
    recall@1 of 0.99, half of the nearest images are beyond both.

    Args:
        nearest: float [Q], the distance of the nearest image of each query.
        counts: of all pairs.
    """
    same, different = (_median(counts, part) for part in (counts.positive, counts.negative))
    if not different:
        return None  # all vectors are equal, or of one class
    limit = max(_OF_ONE_CLASS * same, _OF_TWO_CLASSES * different)
    share = float((nearest <= limit).mean())
    if share < _NEARLY_ALL or len(nearest) < _FEWEST:
        return None
    return (
        f"the nearest image of {share:.0%} of the queries is at a distance close to 0 (at most "
        f"{limit:.3g}); if these are near-copies, such as frames of one video, recall_at_1 says "
        "little: give such images one group, and they are ignored"
    )


def _median(counts: PairCounts, part: np.ndarray) -> float:
    """Median distance of pairs counted by bin; 0 without any."""
    if not part.any():
        return 0.0
    return float(counts.lower[np.searchsorted(np.cumsum(part), part.sum() / 2)])
