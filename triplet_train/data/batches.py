"""Which rows share a batch: P x K batches as a pure function of (seed, step)."""

import math

import numpy as np

from triplet_train.config import Config
from triplet_train.data.class_schedule import ClassSchedule
from triplet_train.data.row_groups import RowGroups
from triplet_train.errors import RequestError


class PKBatches:
    """P distinct classes in every batch and K distinct rows of each, every row about equally often.

    A class is drawn in proportion to its size as far as distinct classes allow, so that over a run
    each row is used about equally often. (With P equal to the number of classes every batch holds
    every class, and rows can be used equally only within a class.) The rows of a class go by in
    shuffled passes without a break between them: at any time two rows of a class have been used
    equally often, give or take one. A class of fewer than K rows repeats rows within a batch; a
    class of a single row has no pair and is left out.

    Args:
        labels: integers [N], the label of each row.
        classes: P, at least 2.
        per_class: K, at least 2.
        seed: decides all draws; at least 0.

    Attributes:
        size: P x K, images in a batch.
        steps_per_epoch: steps that use about as many rows as there are.
        left_out: labels of the classes with a single row.
        repeated: labels of the classes with fewer than K rows.

    Raises:
        RequestError: fewer than P classes have two rows.
    """

    def __init__(self, labels: np.ndarray, *, classes: int, per_class: int, seed: int) -> None:
        self._rows = np.argsort(labels, kind="stable")  # those of a class side by side
        values, starts, sizes = np.unique(labels[self._rows], return_index=True, return_counts=True)
        usable = sizes >= 2
        self.left_out = values[~usable].tolist()
        self.repeated = values[usable & (sizes < per_class)].tolist()
        if classes > usable.sum():
            raise RequestError(
                f"batch.classes: {classes} distinct classes cannot be drawn from the "
                f"{usable.sum()} that have at least two images"
            )
        self.size = classes * per_class
        self.steps_per_epoch = math.ceil(sizes[usable].sum() / self.size)
        self._starts = starts[usable]
        self._schedule = ClassSchedule(sizes[usable], classes, self.steps_per_epoch, seed)
        self._groups = RowGroups(sizes[usable], per_class, seed)

    def rows(self, step: int) -> np.ndarray:
        """Row numbers of batch `step`: int64 [P * K], the K rows of a class side by side.

        Depends on `step` and the constructor's arguments only. O(P K) and what
        `ClassSchedule.draw` costs, whatever came before. For one thread at a time.
        """
        return self.rows_of(range(step, step + 1)).reshape(-1)

    def rows_of(self, steps: range) -> np.ndarray:
        """Those of several steps at once, which is faster: int64 [steps, P * K]."""
        drawn = zip(*map(self._schedule.draw, steps), strict=True)
        classes, nth = map(np.concatenate, drawn)
        places = self._starts[classes, np.newaxis] + self._groups.rows(classes, nth)
        rows: np.ndarray = self._rows[places].reshape(len(steps), self.size)
        return rows


def make_batches(config: Config, labels: np.ndarray) -> PKBatches:
    """As `batch` and `seed` of a configuration ask for. Raises RequestError: see `PKBatches`."""
    batch = config.batch
    return PKBatches(labels, classes=batch.classes, per_class=batch.per_class, seed=config.seed)
