"""The images of a class in a batch, as a pure function of (seed, class, nth appearance)."""

import numpy as np

from triplet_train.data.shuffling import key_of, shuffled


class RowGroups:
    """Groups of K images of each class, cut from shuffled passes over the class.

    If the end of a pass does not complete a group, the next pass begins with images that are not
    yet in the group, so that the K images are distinct. A class with fewer than K images has a pass
    for each group, and repeats images in it.

    Args:
        sizes: integers [C], images of each class, at least 2.
        per_class: K.
        seed: at least 0.
    """

    def __init__(self, sizes: np.ndarray, per_class: int, seed: int) -> None:
        self._sizes, self._per_class, self._seed = sizes, per_class, seed

    def rows(self, classes: np.ndarray, nth: np.ndarray) -> np.ndarray:
        """Return indices of images within their class, int64 [G, K].

        The cost is O(G K), since a group takes images from at most two passes.

        Args:
            classes: int64 [G].
            nth: int64 [G], number of earlier groups of the class.
        """
        classes, nth = classes[:, np.newaxis], nth[:, np.newaxis]
        sizes, k = self._sizes[classes], self._per_class
        each = np.arange(k)
        place = np.where(sizes < k, nth * sizes + each % sizes, nth * k + each)
        passes, places = np.divmod(place, sizes)
        first, last = passes[:, :1], passes[:, -1:]
        keys = np.where(passes == first, self._keys(classes, first), self._keys(classes, last))
        rows = shuffled(places, sizes, keys)
        moved = (passes == last) & (places < k) & (self._open(classes, last - 1) > 0)
        some = np.flatnonzero(moved.any(axis=1))
        if len(some):
            beginning = self._beginning(classes[some], last[some])
            instead = np.take_along_axis(beginning, np.minimum(places[some], k - 1), axis=1)
            rows[some] = np.where(moved[some], instead, rows[some])
        return rows

    def _beginning(self, classes: np.ndarray, passes: np.ndarray) -> np.ndarray:
        """Return the first K images of passes that complete a group: [G, 1] -> int64 [G, K].

        Images that are already in the group come after the others. Images that this pass leaves to
        the next incomplete group keep their places.
        """
        sizes, each = self._sizes[classes], np.arange(self._per_class)
        own = shuffled(each, sizes, self._keys(classes, passes))
        ends = np.minimum(sizes - self._open(classes, passes - 1) + each, sizes - 1)
        before = shuffled(ends, sizes, self._keys(classes, passes - 1))
        of_group = np.arange(len(sizes))[:, np.newaxis] * sizes.max()  # keeps groups apart
        late = np.isin(own + of_group, before + of_group).astype(int)
        late[each >= sizes - self._open(classes, passes)] = 2
        return np.take_along_axis(own, np.argsort(late, axis=1, kind="stable"), axis=1)

    def _open(self, classes: np.ndarray, passes: np.ndarray) -> np.ndarray:
        """Return the number of images in the incomplete group at the end of a pass."""
        sizes, k = self._sizes[classes], self._per_class
        return np.where(sizes < k, 0, (passes + 1) * sizes % k)

    def _keys(self, classes: np.ndarray, passes: np.ndarray) -> np.ndarray:
        """Return the keys of the orders of passes: int64 -> uint64, of one shape.

        A pass has an order of its own, unless it leaves more than `size - K` images to an
        incomplete group. In that case it keeps the order of the previous pass, so that the images
        left over by that pass are among those left over by this one. Their number grows by
        `size - K` in a pass.
        """
        spare = np.maximum(self._sizes[classes] - self._per_class, 1)
        shared = np.maximum(self._open(classes, passes) - 1, 0) // spare
        return key_of(self._seed, classes, passes - shared)
