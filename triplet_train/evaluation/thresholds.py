"""Thresholds on the distance, and their errors on other pairs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from triplet_train.errors import RequestError
from triplet_train.evaluation.verification import PairCounts, roc_of


@dataclass(frozen=True)
class ThresholdErrors:
    """Errors of a threshold that was chosen on other pairs.

    Attributes:
        name: eer, fpr_RATE or accuracy; see `thresholds_of`.
        threshold: Euclidean distance up to which a pair is called the same class.
        false_accept_rate: share of the pairs of two classes that pass.
        false_reject_rate: share of the pairs of one class that do not.
        accuracy: share of all pairs that are called right.
    """

    name: str
    threshold: float
    false_accept_rate: float
    false_reject_rate: float
    accuracy: float


def thresholds_of(counts: PairCounts, rates: Sequence[float]) -> dict[str, float]:
    """Choose thresholds on some pairs.

    Returns:
        Those of `Roc.thresholds`, and `accuracy`: see `most_accurate`. It is left out if calling
        all pairs different is best. Empty without pairs of different classes.
    """
    roc = roc_of(counts)
    if roc is None:
        return {}
    best = most_accurate(counts)
    return roc.thresholds(rates) | ({"accuracy": best} if best >= 0 else {})


def most_accurate(counts: PairCounts) -> float:
    """Return the threshold that calls the most pairs right.

    It lies in the middle between two neighbouring distances. Of several, the largest is taken. It
    accepts no pair, and may be negative, if calling all pairs different is best.
    """
    right = np.concatenate([[0], np.cumsum(counts.positive - counts.negative)])
    accepted = int(np.flatnonzero(right == right.max())[-1])
    if accepted == 0:
        return float(np.nextafter(counts.lower[0], -np.inf))
    if accepted == len(counts.lower):
        return float(np.nextafter(counts.upper[-1], 0))
    return float(counts.lower[accepted - 1 : accepted + 1].mean())


def errors_of(thresholds: Mapping[str, float], counts: PairCounts) -> list[ThresholdErrors]:
    """Return the errors of thresholds, by name, on pairs of one class and of two.

    Raises:
        RequestError: all pairs are of one kind.
    """
    positive, negative = counts.positive.sum(), counts.negative.sum()
    if thresholds and not (positive and negative):
        raise RequestError("the errors of thresholds need pairs of one class and of two")
    errors = []
    for name, threshold in thresholds.items():
        accepted = counts.lower <= threshold
        passed, wrong = counts.positive[accepted].sum(), counts.negative[accepted].sum()
        errors.append(
            ThresholdErrors(
                name,
                threshold,
                float(wrong / negative),
                float(1 - passed / positive),
                float((passed + negative - wrong) / (positive + negative)),
            )
        )
    return errors
