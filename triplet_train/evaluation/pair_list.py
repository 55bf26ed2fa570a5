"""Verification of listed pairs, with thresholds chosen on other folds than they are tested on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from triplet_train.errors import RequestError
from triplet_train.evaluation.metrics import METRICS, MetricTable, Source
from triplet_train.evaluation.pairs import scale_of
from triplet_train.evaluation.thresholds import most_accurate, thresholds_of
from triplet_train.evaluation.verification import PairCounts, Roc, roc_of

_FOLDS = 10
_BLOCK_VALUES = 2**22  # of float64 differences at a time


@dataclass(frozen=True)
class Fold:
    """A fold, tested with the threshold that is most accurate on the pairs of the other folds.

    Attributes:
        name: as given, or its number from 1.
        pairs: number of pairs.
        accuracy: share of the pairs that are called right.
        threshold: see `most_accurate`; negative if no pair passes.
    """

    name: str
    pairs: int
    accuracy: float
    threshold: float


@dataclass(frozen=True)
class PairListEvaluation:
    """Result of `evaluate_pairs`.

    Attributes:
        table: the metrics that were asked for; those of pairs are computed.
        metrics: accuracy, the mean over the folds, and the metrics of pairs by name.
        standard_error: of the accuracy: the standard deviation over F folds by sqrt(F).
        folds: in the order of the list.
        thresholds: chosen on all pairs; see `thresholds_of`.
        pairs: the number of pairs by distance; a bin holds pairs of equal distance.
        roc: the curve of all pairs.
    """

    table: MetricTable
    metrics: dict[str, float]
    standard_error: float
    folds: list[Fold]
    thresholds: dict[str, float]
    pairs: PairCounts
    roc: Roc


def evaluate_pairs(
    distances: np.ndarray,
    same: np.ndarray,
    folds: Sequence[str] | None = None,
    *,
    metrics: MetricTable = METRICS,
) -> PairListEvaluation:
    """Verify pairs as Labeled Faces in the Wild does (view 2: Huang et al., 2007).

    A pair is called the same class if its distance is at most a threshold. The accuracy of a fold
    is measured with the threshold that is most accurate on all other folds. Thresholds are chosen
    among all distances. The other metrics are those of all pairs together.

    Args:
        distances: float64 [P].
        same: bool [P], True for a pair of one class.
        folds: P names. By default, the pairs of each kind are split in their order into ten parts
            of nearly equal size, or as many as there are pairs of the rarer kind. The order of LFW
            gives its own folds.
        metrics: those of pairs are computed.

    Returns:
        The evaluation, in O(P (log P + F log P)) time for F folds.

    Raises:
        RequestError: all pairs are of one kind, or there are fewer than two folds.
    """
    if same.all() or not same.any():
        kind = "same" if same.any() else "different"
        raise RequestError(f"all pairs are {kind}; verification needs pairs of both kinds")
    names, places = _folds_of(same, folds)
    tested = [_tested(name, distances, same, places == at) for at, name in enumerate(names)]
    counts = count_pairs(distances, same)
    roc = roc_of(counts)
    assert roc is not None  # there are different pairs
    accuracies = np.array([fold.accuracy for fold in tested])
    computed = {m.name: m.compute(roc) for m in metrics.computed_from(Source.PAIRS)}
    return PairListEvaluation(
        table=metrics,
        metrics={"accuracy": float(accuracies.mean()), **computed},
        standard_error=float(accuracies.std(ddof=1) / len(tested) ** 0.5),
        folds=tested,
        thresholds=thresholds_of(counts, metrics.false_accept_rates),
        pairs=counts,
        roc=roc,
    )


def pair_distances(
    vectors: np.ndarray, others: np.ndarray, rows: np.ndarray, other_rows: np.ndarray
) -> np.ndarray:
    """Return the Euclidean distances of pairs of vectors.

    They are computed in float64 and rounded to the precision of float32. The distance of equal
    vectors is 0, and that of (a, b) is that of (b, a).

    Args:
        vectors, others: [N, D] and [M, D], finite.
        rows, other_rows: int64 [P], of `vectors` and of `others`.

    Returns:
        float64 [P], in O(P D) time.
    """
    scale = scale_of(vectors, others)
    distances = np.empty(len(rows), np.float32)
    size = max(1, _BLOCK_VALUES // vectors.shape[1])
    for start in range(0, len(rows), size):
        block = slice(start, start + size)
        apart = vectors[rows[block]] * scale - others[other_rows[block]] * scale
        distances[block] = np.sqrt(np.einsum("pd,pd->p", apart, apart))
    return distances / scale


def count_pairs(distances: np.ndarray, same: np.ndarray) -> PairCounts:
    """Return the number of pairs of each kind, by distinct distance."""
    lower, places = np.unique(distances, return_inverse=True)
    positive, negative = (np.bincount(places[kind], minlength=len(lower)) for kind in (same, ~same))
    return PairCounts(lower, np.nextafter(lower, np.inf), positive, negative)


def _folds_of(same: np.ndarray, folds: Sequence[str] | None) -> tuple[list[str], np.ndarray]:
    """Return the names of the folds, and the place of each pair's fold among them, int64 [P]."""
    if folds is not None:
        names = list(dict.fromkeys(folds))
        if len(names) < 2:
            raise RequestError(
                f"all pairs are in fold {names[0]!r}; the threshold for a fold is chosen on others"
            )
        number = {name: at for at, name in enumerate(names)}
        return names, np.array([number[name] for name in folds])
    places = np.empty(len(same), np.int64)
    kinds = [np.flatnonzero(kind) for kind in (same, ~same)]
    count = min(_FOLDS, *map(len, kinds))
    if count < 2:
        raise RequestError("two folds need at least two pairs of each kind, same and different")
    for pairs in kinds:
        places[pairs] = np.arange(len(pairs)) * count // len(pairs)
    return [str(at + 1) for at in range(count)], places


def _tested(name: str, distances: np.ndarray, same: np.ndarray, inside: np.ndarray) -> Fold:
    threshold = most_accurate(count_pairs(distances[~inside], same[~inside]))
    right = (distances[inside] <= threshold) == same[inside]
    return Fold(name, len(right), float(right.mean()), threshold)
