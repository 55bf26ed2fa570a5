"""Retrieval: does a query find rows of its own class first?"""

from dataclasses import dataclass

import numpy as np

from triplet_train.evaluation.coverage import Coverage, coverage
from triplet_train.evaluation.pairs import make_pairs
from triplet_train.evaluation.search import search


@dataclass(frozen=True)
class RetrievalFigures:
    """Means over the queries that have a row of their class to find.

    R is the number of rows of the query's class in the gallery, the query itself not among them.

    Attributes:
        figures: recall_at_1, recall_at_5, recall_at_10: a row of the class among the k nearest;
            precision_at_5, precision_at_10: share of the class among the k nearest, with k below
            the line however small the gallery; r_precision: share of the class among the R
            nearest; map_at_r: mean over ranks 1..R of the precision there where the row is of
            the class, else 0; map: mean over all rows of the class of the precision at their
            ranks; mrr: 1 / rank of the first row of the class. The last two rank the whole gallery.
        coverage: over how many queries and classes these are.
    """

    figures: dict[str, float]
    coverage: Coverage


def retrieval_figures(
    queries: np.ndarray,
    query_labels: np.ndarray,
    gallery: np.ndarray | None = None,
    gallery_labels: np.ndarray | None = None,
) -> RetrievalFigures:
    """Exact retrieval figures by Euclidean distance.

    Definitions as in Musgrave, Belongie & Lim, A Metric Learning Reality Check (2020). Distances
    are worked out in float64 and compared as float32. Of rows at equal distance those of other
    classes come first. So a tower that maps all images to one point has a recall, precision and
    map_at_r of 0, and the lowest map and mrr there can be.

    Args:
        queries: [Q, D] vectors of any length.
        query_labels: integers [Q].
        gallery, gallery_labels: [G, D] and [G]. Without them every query searches all the other
            queries: leave-one-out, the row itself is left out by its position.

    Returns:
        See `RetrievalFigures`. O(Q G (D + log G)) time; memory a block of distances per thread.

    Raises:
        RequestError: dimensions differ, values are not finite, or no query has a row of its class
            to find.
    """
    pairs = make_pairs(queries, query_labels, gallery, gallery_labels)
    found = search(pairs, lambda queries: None)
    figures = {name: float(values.mean()) for name, values in found.per_query.items()}
    return RetrievalFigures(figures, coverage(np.asarray(query_labels), found.rows))


def has_pairs(labels: np.ndarray) -> bool:
    """Whether two rows share a label, so that leave-one-out has anything to judge."""
    return len(np.unique(labels)) < len(labels)
