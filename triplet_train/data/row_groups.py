"""The rows of a class in a batch, as a pure function of (seed, class, nth time)."""

import numpy as np

from triplet_train.data.shuffling import key_of, shuffled


class RowGroups:
    """The rows of each class in groups of K: shuffled passes, cut without regard to their ends.

    A group that a pass leaves open begins with the last rows of that pass. The next pass then
    begins with rows that are not among them, so that the K rows are distinct. A class of fewer than
    K rows has a pass for each group, and repeats it.

    Args:
        sizes: integers [C], at least 2.
        per_class: K.
        seed: at least 0.
    """

    def __init__(self, sizes: np.ndarray, per_class: int, seed: int) -> None:
        self._sizes, self._per_class, self._seed = sizes, per_class, seed

    def rows(self, classes: np.ndarray, nth: np.ndarray) -> np.ndarray:
        """Numbers of rows within their class, int64 [G, K].

        Each group needs two passes at most, at O(K) places of each.

        Args:
            classes: int64 [G].
            nth: int64 [G], how many groups of the class came before.
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
        """The first K rows of passes that complete a group: [G, 1] -> int64 [G, K].

        Rows that are in the group already come after those that are not. Rows that this pass itself
        leaves to an open group stay where they are.
        """
        sizes, each = self._sizes[classes], np.arange(self._per_class)
        own = shuffled(each, sizes, self._keys(classes, passes))
        ends = np.minimum(sizes - self._open(classes, passes - 1) + each, sizes - 1)
        before = shuffled(ends, sizes, self._keys(classes, passes - 1))
        of_group = np.arange(len(sizes))[:, np.newaxis] * sizes.max()  # tells their rows apart
        late = np.isin(own + of_group, before + of_group).astype(int)
        late[each >= sizes - self._open(classes, passes)] = 2
        return np.take_along_axis(own, np.argsort(late, axis=1, kind="stable"), axis=1)

    def _open(self, classes: np.ndarray, passes: np.ndarray) -> np.ndarray:
        """Number of rows at the end of a pass that belong to a group which the next completes."""
        sizes, k = self._sizes[classes], self._per_class
        return np.where(sizes < k, 0, (passes + 1) * sizes % k)

    def _keys(self, classes: np.ndarray, passes: np.ndarray) -> np.ndarray:
        """The keys of their orders: int64 -> uint64, of one shape.

        A pass has an order of its own, unless it leaves more than `size - K` rows to an open group.
        They are so many that some have to be among those that the pass before has left, and with
        the order of that pass all of those are. Over a pass their number grows by `size - K`.
        """
        spare = np.maximum(self._sizes[classes] - self._per_class, 1)
        shared = np.maximum(self._open(classes, passes) - 1, 0) // spare
        return key_of(self._seed, classes, passes - shared)
