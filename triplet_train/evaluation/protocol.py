"""The protocol of an evaluation: queries, gallery, and the pairs that are ignored."""

from dataclasses import dataclass

import numpy as np

from triplet_train.evaluation.examples import Examples


@dataclass(frozen=True)
class Protocol:
    """Queries and gallery, both sorted by class, then by group, then as given.

    The gallery images of a query's class are therefore adjacent, and so are those among them that
    the query ignores: the images of its own group, or itself.

    Attributes:
        query_indices, gallery_indices: int64 [Q] and [G], the indices in the examples.
        query_labels, gallery_labels: int64 [Q] and [G].
        starts, ends: int64 [Q], the slice of the gallery with the query's class.
        ignored_starts, ignored_ends: int64 [Q], the part of this slice that the query ignores.
        itself: bool [Q], True for queries that are in the gallery too.
        symmetric: queries and gallery are the same images: each searches all others.
        rows_without_label: number of images that are left out because they have no label.
        rows_without_part: number of images that their role leaves out.
    """

    query_indices: np.ndarray
    gallery_indices: np.ndarray
    query_labels: np.ndarray
    gallery_labels: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    ignored_starts: np.ndarray
    ignored_ends: np.ndarray
    itself: np.ndarray
    symmetric: bool
    rows_without_label: int
    rows_without_part: int

    @property
    def relevant(self) -> np.ndarray:
        """R of each query: number of gallery images of its class without the ignored, int64 [Q]."""
        relevant: np.ndarray = self.ends - self.starts - self.ignored
        return relevant

    @property
    def ignored(self) -> np.ndarray:
        """Number of gallery images that each query ignores, itself included, int64 [Q]."""
        ignored: np.ndarray = self.ignored_ends - self.ignored_starts
        return ignored

    @property
    def without_their_class(self) -> np.ndarray:
        """True for queries with no other image of their class in the gallery, bool [Q]."""
        alone: np.ndarray = self.ends - self.starts == self.itself
        return alone

    @property
    def obstacle(self) -> str | None:
        """Reason why no query has an image of its class to find; None if one has."""
        if self.relevant.any():
            return None
        if not len(self.query_indices):
            return "no image with a label is a query"
        if not self.without_their_class.all():
            return "all other images of the queries' classes are in the queries' own groups"
        if self.symmetric:
            return "no two images share a class"
        return "no query has an image of its class in the gallery"


def make_protocol(queries: Examples, gallery: Examples | None = None) -> Protocol:
    """Find the queries and the gallery, and the gallery images of each query's class and group.

    Queries are the examples of `queries` with this role and a label. The gallery are the examples
    of `gallery` with that role; those without a label are negatives of every query. Without
    `gallery` it is taken from `queries` too: no query finds itself, and an example without a label
    that is query and gallery by its roles is left out.

    Args:
        queries, gallery: their vectors are not used.

    Returns:
        The protocol, in O((Q + G) log (Q + G)) time.
    """
    searched = queries if gallery is None else gallery
    unlabelled = queries.labels < 0
    in_gallery = searched.is_gallery
    if gallery is None:
        in_gallery = in_gallery & ~(queries.is_query & unlabelled)
        without_part = ~(queries.is_query | queries.is_gallery)
    else:
        without_part = np.concatenate([~queries.is_query, ~in_gallery])
    asking, found = (
        _sorted(examples, np.flatnonzero(rows))
        for examples, rows in ((queries, queries.is_query & ~unlabelled), (searched, in_gallery))
    )
    query_labels, gallery_labels = queries.labels[asking], searched.labels[found]
    query_keys, gallery_keys = _keys(queries, asking, searched, found)
    starts, ends = _slices(gallery_labels, query_labels)
    own = np.full(len(queries.labels), -1)  # the place of each query in the gallery
    if gallery is None:
        own[found] = np.arange(len(found))
    own = own[asking]
    first, last = _slices(gallery_keys, query_keys)
    grouped = queries.groups[asking] >= 0
    return Protocol(
        asking,
        found,
        query_labels,
        gallery_labels,
        starts,
        ends,
        np.where(grouped, first, np.maximum(own, 0)),
        np.where(grouped, last, own + 1),
        own >= 0,
        gallery is None and np.array_equal(asking, found),
        int((queries.is_query & unlabelled).sum()),
        int(without_part.sum()),
    )


def _sorted(examples: Examples, rows: np.ndarray) -> np.ndarray:
    """Sort rows by class, then by group; rows of the same class and group keep their order."""
    return rows[np.lexsort((examples.groups[rows], examples.labels[rows]))]


def _keys(
    queries: Examples, asking: np.ndarray, searched: Examples, found: np.ndarray
) -> list[np.ndarray]:
    """Integers that are equal for images of the same class and group, in the order of both."""
    labels, groups = (
        np.unique(np.concatenate([one[asking], other[found]]), return_inverse=True)[1]
        for one, other in ((queries.labels, searched.labels), (queries.groups, searched.groups))
    )
    return np.split(labels * len(groups) + groups, [len(asking)])


def _slices(ordered: np.ndarray, values: np.ndarray) -> list[np.ndarray]:
    """Start and end of each value among ordered values."""
    return [np.searchsorted(ordered, values, side) for side in ("left", "right")]
