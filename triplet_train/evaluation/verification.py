"""Verification: pairs by distance, and the threshold that tells classes apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np

from triplet_train.evaluation.pairs import IGNORED, Pairs
from triplet_train.registry import rate_name

_DRAWN_BINS = 100
_DROPPED_BITS = np.uint32(7)  # the mark of the class, and 6 of the 23 bits of a float32's fraction
_IGNORED_BIN = IGNORED >> _DROPPED_BITS  # the last


@dataclass(frozen=True)
class DistanceHistograms:
    """Histograms of the distances of pairs of one class and of two, for drawing.

    Attributes:
        edges: float64 [101], Euclidean distances from 0 to the largest; equal widths.
        positive, negative: int64 [100], pairs of one class and of two.
    """

    edges: np.ndarray
    positive: np.ndarray
    negative: np.ndarray


@dataclass(frozen=True)
class PairCounts:
    """Number of pairs by distance in fine bins, nearest first; empty bins are left out.

    Attributes:
        lower, upper: float64 [bins], Euclidean distances; a bin reaches from `lower` to below
            `upper`.
        positive, negative: int64 [bins], pairs of one class and of two.
    """

    lower: np.ndarray
    upper: np.ndarray
    positive: np.ndarray
    negative: np.ndarray


@dataclass(frozen=True)
class Roc:
    """The ROC curve of all pairs: how well a threshold on the distance tells classes apart.

    A pair is accepted, called the same class, if its distance is at most the threshold. TPR is the
    accepted share of the pairs of one class, FPR that of the pairs of two classes, FNR is 1 - TPR.

    Distances in one bin count as equal. This changes the area by at most
    sum(positive * negative) / 2 over sum(positive) * sum(negative), which is below 1e-5 if the
    distances spread over at least a tenth of their mean. It changes a threshold by at most a
    250,000th of its value.

    Attributes:
        fpr, tpr: float64 [bins + 1]; point i accepts the i nearest bins, with any threshold below
            the next bin.
        lower: float64 [bins], see `PairCounts`.
    """

    fpr: np.ndarray
    tpr: np.ndarray
    lower: np.ndarray

    def area(self) -> float:
        """Probability that a pair of one class is nearer than one of two; a tie counts one half."""
        return float(np.trapezoid(self.tpr, self.fpr))

    def equal_error_rate(self) -> float:
        """Rate where FPR and FNR are equal, interpolated between the two neighbouring points."""
        first = self._last_point(self.fpr + self.tpr <= 1)
        fpr, tpr = self.fpr[first : first + 2], self.tpr[first : first + 2]
        before, after = fpr + tpr - 1  # before <= 0 < after
        return float(fpr[0] + (fpr[1] - fpr[0]) * -before / (after - before))

    def tpr_at(self, limit: float) -> float:
        """TPR at the largest threshold whose FPR is at most `limit`.

        With fewer than 1 / `limit` pairs of two classes, this is the share of the pairs of one
        class that are nearer than all of these.
        """
        return float(self.tpr[self._last_point(self.fpr <= limit)])

    def thresholds(self, rates: Sequence[float]) -> dict[str, float]:
        """The largest thresholds with FPR <= FNR (eer), and with FPR <= each rate (fpr_RATE).

        A threshold is left out where even distance 0 accepts too many pairs.
        """
        within = {"eer": self.fpr + self.tpr <= 1} | {
            f"fpr_{rate_name(rate)}": self.fpr <= rate for rate in rates
        }
        points = {name: self._last_point(allowed) for name, allowed in within.items()}
        below = np.nextafter(self.lower, 0)
        return {
            name: float(below[point]) for name, point in points.items() if self.lower[point] > 0
        }

    @staticmethod
    def _last_point(allowed: np.ndarray) -> int:
        return int(np.flatnonzero(allowed)[-1])


class PairCounter:
    """Counter of all pairs by distance, for one strip of queries after the other.

    A bin holds the squared distances whose float32 values have the same leading bits. The upper end
    of each bin is 1 + 2^-17 times its lower end, so all bins have the same relative width. The
    histogram takes at most 260 MiB; the system provides memory for the bins in use only.

    Args:
        pairs: the queries and the gallery. Ignored pairs do not count. If queries and gallery are
            the same images, each unordered pair counts once, which gives the same rates.
    """

    def __init__(self, pairs: Pairs) -> None:
        self._pairs = pairs
        self._all, self._positive = (np.zeros(_IGNORED_BIN + 1, np.int64) for _ in range(2))
        self._nearest = int(_IGNORED_BIN)  # the first bin in use
        self._lock = Lock()

    def see(self, strip: slice, keys: np.ndarray) -> None:
        """Count the pairs of a strip of queries. Safe to call from several threads."""
        symmetric = self._pairs.protocol.symmetric
        past = strip.start if symmetric else 0  # counted by earlier strips
        bins = keys[:, past:] >> _DROPPED_BITS
        if symmetric:
            bins[np.tril_indices(len(bins))] = _IGNORED_BIN
        with self._lock:
            self._nearest = min(self._nearest, int(bins.min(initial=_IGNORED_BIN)))
            np.add.at(self._all, bins.reshape(-1), 1)
            for rows, columns in self._pairs.classes(strip):
                same = bins[rows, max(columns.start - past, 0) : max(columns.stop - past, 0)]
                np.add.at(self._positive, same.reshape(-1), 1)

    def counts(self) -> PairCounts:
        """Return the counts of all strips so far."""
        used = self._nearest + np.flatnonzero(self._all[self._nearest : -1])
        lower, upper = (
            self._pairs.distances((bins << int(_DROPPED_BITS)).astype(np.uint32))
            for bins in (used, used + 1)
        )
        positive = self._positive[used]
        return PairCounts(lower, upper, positive, self._all[used] - positive)


def roc_of(counts: PairCounts) -> Roc | None:
    """Return the ROC curve of all pairs; None without pairs of different classes."""
    if not counts.negative.any():
        return None
    positive, negative = counts.positive.astype(np.float64), counts.negative.astype(np.float64)
    fpr, tpr = (
        np.concatenate([[0.0], np.cumsum(part) / part.sum()]) for part in (negative, positive)
    )
    return Roc(fpr, tpr, counts.lower)


def histograms(counts: PairCounts) -> DistanceHistograms:
    """Gather the fine bins in 100 of equal width."""
    top = counts.upper[-1] if counts.lower[-1] > 0 else 1.0  # all at distance 0: any width will do
    edges = np.linspace(0, top, _DRAWN_BINS + 1)
    drawn = np.searchsorted(edges, counts.lower, "right") - 1
    gathered = np.zeros((2, _DRAWN_BINS), np.int64)
    for sums, part in zip(gathered, (counts.positive, counts.negative), strict=True):
        np.add.at(sums, drawn, part)
    return DistanceHistograms(edges, *gathered)
