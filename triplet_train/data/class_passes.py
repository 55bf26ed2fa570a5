"""Classes drawn uniformly, as a pure function of (seed, step)."""

import numpy as np

from triplet_train.data.row_groups import RowGroups
from triplet_train.data.shuffling import key_of


class ClassPasses:
    """P distinct classes for every step, cut from shuffled passes over all classes.

    At any time, the numbers of appearances of two classes differ by at most one.

    Args:
        count: C, number of classes.
        classes: P, at most C.
        seed: at least 0.
    """

    def __init__(self, count: int, classes: int, seed: int) -> None:
        self._count, self._each = count, np.arange(classes)
        # Another seed than that of the images, whose orders are then independent.
        self._groups = RowGroups(np.array([count]), classes, int(key_of(seed)[0]))

    def draw(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the classes of a step, and in how many steps before each appears: int64 [P] both.

        The cost is O(P).
        """
        drawn = self._groups.rows(np.zeros(1, int), np.array([step]))[0]
        return drawn, (step * len(self._each) + self._each) // self._count
