"""All that is said of a set of vectors, from one pass over its distances."""

from dataclasses import dataclass

import numpy as np

from triplet_train.console import SILENT, Console
from triplet_train.evaluation.bootstrap import intervals
from triplet_train.evaluation.classes import (
    ClassFigures,
    Confusion,
    class_table,
    confusions,
    vote,
)
from triplet_train.evaluation.clustering import nmi
from triplet_train.evaluation.coverage import Coverage, coverage
from triplet_train.evaluation.pairs import make_pairs
from triplet_train.evaluation.search import search
from triplet_train.evaluation.verification import (
    DistanceHistograms,
    PairCounter,
    histograms,
    verify,
)

HEADLINE = ("recall_at_1", "r_precision", "map_at_r", "knn_accuracy")


@dataclass(frozen=True)
class Judgement:
    """What `judge` finds. Q' queries are judged; k is 10, or the size of a smaller gallery.

    Attributes:
        figures: those of `retrieval_figures`; knn_accuracy: share of the queries whose class is
            that of most of the 5 nearest rows (fewer if the gallery is smaller; of equally many
            votes, those with the nearest row count); nmi, see `clustering.nmi`; roc_auc, eer,
            tpr_at_fpr_1e-2 and tpr_at_fpr_1e-3, see `verification.verify`. With queries of one
            class there is no nmi, without pairs of different classes none of the last four.
        intervals: figure -> ends of its 95 % interval, see `bootstrap.intervals`; for the four in
            `HEADLINE`, and for none if there is but one query.
        thresholds: eer, fpr_1e-2, fpr_1e-3: the Euclidean distance at or below which a pair is
            called the same, see `verification.verify`.
        coverage: over how many queries and classes the figures are. As pairs of different classes
            queries that are left out count for the thresholds, and others may find them.
        left_out_labels: the classes of the queries that are left out.
        classes: a row per class of the judged queries, lowest map_at_r first.
        confusions: pairs of a class and another one that its queries find, most queries first.
        distances: of all pairs, for drawing.
        rows: int64 [Q'], row number of each judged query.
        neighbours: int64 [Q', k], rows of the gallery, nearest first.
        neighbour_distances: float32 [Q', k], Euclidean.
        per_query: figure -> float64 [Q'], for those of `retrieval_figures` and knn_accuracy.
    """

    figures: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    thresholds: dict[str, float]
    coverage: Coverage
    left_out_labels: list[int]
    classes: list[ClassFigures]
    confusions: list[Confusion]
    distances: DistanceHistograms
    rows: np.ndarray
    neighbours: np.ndarray
    neighbour_distances: np.ndarray
    per_query: dict[str, np.ndarray]


def judge(
    queries: np.ndarray,
    query_labels: np.ndarray,
    gallery: np.ndarray | None = None,
    gallery_labels: np.ndarray | None = None,
    *,
    console: Console = SILENT,
) -> Judgement:
    """Retrieval, verification and clustering figures by Euclidean distance, exactly.

    Verification takes all pairs of a query and a row of the gallery; without a gallery each
    unordered pair of queries once. The same arguments give the same answer.

    Args:
        queries: [Q, D] vectors of any length.
        query_labels: integers [Q].
        gallery, gallery_labels: [G, D] and [G]. Without them every query searches all the other
            queries: leave-one-out, the row itself is left out by its position.
        console: shows the progress.

    Returns:
        O(Q G (D + log G)) time; 60,000 x 60,000 x 64 takes less than a minute on two cores, in
        0.5 GiB. Memory is two copies of the vectors in float64, 100 MiB of distances per thread,
        and at most 260 MiB of pair counts.

    Raises:
        RequestError: dimensions differ, values are not finite, or no query has a row of its class
            to find.
    """
    query_labels = np.asarray(query_labels)
    pairs = make_pairs(queries, query_labels, gallery, gallery_labels)
    counter = PairCounter(pairs)
    with console.bar(len(queries), "judging") as bar:
        found = search(pairs, bar.update, counter.see)
        labels = query_labels[found.rows]
        of_gallery = query_labels if gallery_labels is None else np.asarray(gallery_labels)
        near = of_gallery[found.neighbours]
        per_query = found.per_query | {"knn_accuracy": (vote(near) == labels).astype(np.float64)}
        figures = {name: float(values.mean()) for name, values in per_query.items()}
        if (labels != labels[0]).any():
            bar.rename("clustering")
            figures["nmi"] = nmi(queries[found.rows] * pairs.scale, labels)
        bar.rename("resampling")
        spread = intervals({name: per_query[name] for name in HEADLINE})
    counts = counter.counts()
    verification = verify(counts)
    return Judgement(
        figures=figures | verification.figures,
        intervals=spread,
        thresholds=verification.thresholds,
        coverage=coverage(query_labels, found.rows),
        left_out_labels=np.unique(np.delete(query_labels, found.rows)).tolist(),
        classes=class_table(labels, per_query),
        confusions=confusions(labels, near[:, 0]),
        distances=histograms(counts),
        rows=found.rows,
        neighbours=found.neighbours,
        neighbour_distances=found.neighbour_distances,
        per_query=per_query,
    )
