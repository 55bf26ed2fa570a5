"""Verification: which distance means that two vectors are of the same class?"""

from dataclasses import dataclass
from threading import Lock

import numpy as np

from triplet_train.evaluation.pairs import Pairs

FALSE_ACCEPTS = {"1e-2": 1e-2, "1e-3": 1e-3}
_DRAWN_BINS = 100
_DROPPED_BITS = np.uint32(7)  # the mark of the class, and 6 of the 23 bits of a float32's fraction
_BINS = int(np.float32(4.0).view(np.uint32) << np.uint32(1) >> _DROPPED_BITS) + 2  # |q - g|^2 <= 4


@dataclass(frozen=True)
class DistanceHistograms:
    """How far pairs of the same class and of different classes are apart, for drawing.

    Attributes:
        edges: float64 [101], Euclidean distances from 0 to the largest; equal widths.
        positive, negative: int64 [100], pairs of the same class and of different ones.
    """

    edges: np.ndarray
    positive: np.ndarray
    negative: np.ndarray


@dataclass(frozen=True)
class PairCounts:
    """Pairs by distance, in fine bins, nearest first; only bins that hold any.

    Attributes:
        lower, upper: float64 [bins], Euclidean distances; a bin reaches from `lower` to below
            `upper`.
        positive, negative: int64 [bins], pairs of the same class and of different ones.
    """

    lower: np.ndarray
    upper: np.ndarray
    positive: np.ndarray
    negative: np.ndarray


@dataclass(frozen=True)
class Verification:
    """See `verify`."""

    figures: dict[str, float]
    thresholds: dict[str, float]


class PairCounter:
    """Counts all pairs by distance, block after block of a search.

    A bin is a range of squared distances of the ratio 1 + 2^-17: the leading bits of a float32
    count up with the number, and make a histogram that is equally fine at any distance. It takes
    at most 260 MiB, of which only what is used is ever touched.

    Args:
        pairs: who is compared with whom; where the gallery is the queries, each unordered pair
            counts once and no row is paired with itself.
    """

    def __init__(self, pairs: Pairs) -> None:
        self._pairs = pairs
        self._all, self._positive = np.zeros(_BINS, np.int64), np.zeros(_BINS, np.int64)
        self._lock = Lock()

    def see(self, block: slice, keys: np.ndarray) -> None:
        """Count the pairs of a block of queries; from any thread."""
        past = block.start if self._pairs.itself else 0  # earlier blocks have counted these columns
        bins = (keys[:, past:] >> _DROPPED_BITS).astype(np.int64)
        if self._pairs.itself:
            bins[np.tril_indices(len(bins))] = _BINS - 1
        with self._lock:
            np.add.at(self._all, bins.reshape(-1), 1)
            for rows, columns in self._pairs.classes(block):
                same = bins[rows, max(columns.start - past, 0) : max(columns.stop - past, 0)]
                np.add.at(self._positive, same.reshape(-1), 1)

    def counts(self) -> PairCounts:
        """Of all blocks so far."""
        used = np.flatnonzero(self._all[:-1])
        lower, upper = (
            self._pairs.distances((bins << int(_DROPPED_BITS)).astype(np.uint32))
            for bins in (used, used + 1)
        )
        positive = self._positive[used]
        return PairCounts(lower, upper, positive, self._all[used] - positive)


def verify(counts: PairCounts) -> Verification:
    """How well a threshold on the distance tells pairs of the same class from others.

    A pair is accepted, called the same, if its distance is at most the threshold. TPR is the share
    of the pairs of the same class that are accepted, FPR that of the others, FNR is 1 - TPR.
    Figures: roc_auc, the chance that a pair of the same class is nearer than one of different
    classes, equal distances counting one half; eer, where FPR and FNR are equal, on the straight
    line between the two neighbouring points of the ROC curve; tpr_at_fpr_1e-2 and _1e-3, at the
    largest threshold whose FPR does not exceed that: with fewer than 1,000 pairs of different
    classes, the latter is the share of pairs that are nearer than all of these.

    Thresholds: eer, the largest with FPR <= FNR; fpr_1e-2 and fpr_1e-3. One is left out where even
    distance 0 accepts too many.

    Distances in one bin count as equal. That moves roc_auc by at most
    sum(positive * negative) / 2 over sum(positive) * sum(negative), which is below 1e-5 where
    distances spread over a tenth of their mean or more, and far less as a rule, since what the bins
    do to one pair and to the next cancels. A threshold is moved by at most a 250,000th of it.

    Returns:
        Nothing where there are no pairs of different classes.
    """
    if not counts.negative.any():
        return Verification({}, {})
    positive, negative = counts.positive.astype(np.float64), counts.negative.astype(np.float64)
    fpr, tpr = (
        np.concatenate([[0.0], np.cumsum(part) / part.sum()]) for part in (negative, positive)
    )
    auc = np.trapezoid(tpr, fpr)
    # Point i accepts the i nearest bins, with any threshold below the next one.
    below = np.nextafter(counts.lower, 0)
    thresholds: dict[str, float] = {}

    def at(name: str, point: int) -> None:
        if counts.lower[point] > 0:
            thresholds[name] = float(below[point])

    last = int(np.flatnonzero(fpr + tpr <= 1)[-1])
    at("eer", last)
    figures = {"roc_auc": float(auc), "eer": _crossing(fpr[last : last + 2], tpr[last : last + 2])}
    for name, limit in FALSE_ACCEPTS.items():
        point = int(np.flatnonzero(fpr <= limit)[-1])
        figures[f"tpr_at_fpr_{name}"] = float(tpr[point])
        at(f"fpr_{name}", point)
    return Verification(figures, thresholds)


def histograms(counts: PairCounts) -> DistanceHistograms:
    """The fine bins, gathered in a hundred of equal width."""
    top = counts.upper[-1] if counts.lower[-1] > 0 else 1.0  # all at distance 0: any width will do
    edges = np.linspace(0, top, _DRAWN_BINS + 1)
    drawn = np.searchsorted(edges, counts.lower, "right") - 1
    gathered = np.zeros((2, _DRAWN_BINS), np.int64)
    for sums, part in zip(gathered, (counts.positive, counts.negative), strict=True):
        np.add.at(sums, drawn, part)
    return DistanceHistograms(edges, *gathered)


def _crossing(fpr: np.ndarray, tpr: np.ndarray) -> float:
    """FPR where the segment of the ROC curve between two points meets FPR = 1 - TPR."""
    before, after = fpr + tpr - 1  # before <= 0 < after
    return float(fpr[0] + (fpr[1] - fpr[0]) * -before / (after - before))
