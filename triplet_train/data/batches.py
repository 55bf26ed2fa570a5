"""P x K batches as a pure function of (seed, step)."""

import math

import numpy as np

from triplet_train.config import Config
from triplet_train.data.class_passes import ClassPasses
from triplet_train.data.class_schedule import ClassSchedule
from triplet_train.data.row_groups import RowGroups
from triplet_train.errors import RequestError


class PKBatches:
    """Batches of P distinct classes and K distinct images of each.

    With sampling `images`, a class is drawn in proportion to its size, as far as distinct classes
    allow, so that a run uses all images about equally often. (If P is the number of classes, every
    batch holds every class, and images are used equally often within a class only.) With sampling
    `classes`, all classes are drawn equally often. The images of a class are used in
    shuffled passes: at any time, the numbers of uses of two images of a class differ by at most
    one. A class with fewer than K images repeats some within a batch. A class with a single image
    has no positive pair and is left out.

    Args:
        labels: integers [N].
        classes: P, at least 2.
        per_class: K, at least 2.
        seed: decides all draws; at least 0.
        sampling: `images` or `classes`.

    Attributes:
        size: P x K, images in a batch.
        steps_per_epoch: number of steps that use about N images.
        left_out: labels of the classes with a single image.
        repeated: labels of the classes with fewer than K images.

    Raises:
        RequestError: fewer than P classes have two images.
    """

    def __init__(
        self,
        labels: np.ndarray,
        *,
        classes: int,
        per_class: int,
        seed: int,
        sampling: str = "images",
    ) -> None:
        self._rows = np.argsort(labels, kind="stable")  # class by class
        values, starts, sizes = np.unique(labels[self._rows], return_index=True, return_counts=True)
        usable = sizes >= 2
        self.left_out = values[~usable].tolist()
        self.repeated = values[usable & (sizes < per_class)].tolist()
        if classes > usable.sum():
            raise RequestError(
                f"batch.classes: {classes} distinct classes cannot be drawn from the "
                f"{usable.sum()} that have at least two images; lower batch.classes"
            )
        self.size = classes * per_class
        self.steps_per_epoch = math.ceil(sizes[usable].sum() / self.size)
        self._starts = starts[usable]
        self._schedule: ClassPasses | ClassSchedule = (
            ClassPasses(len(self._starts), classes, seed)
            if sampling == "classes"
            else ClassSchedule(sizes[usable], classes, self.steps_per_epoch, seed)
        )
        self._groups = RowGroups(sizes[usable], per_class, seed)

    def rows(self, step: int) -> np.ndarray:
        """Return the indices of the images in batch `step`: int64 [P * K], class by class.

        They depend on `step` and the arguments of the constructor only. The cost is O(P K) and that
        of drawing the classes. Not thread-safe.
        """
        return self.rows_of(range(step, step + 1)).reshape(-1)

    def rows_of(self, steps: range) -> np.ndarray:
        """Return `rows` of several steps at once, which is faster: int64 [steps, P * K]."""
        drawn = zip(*map(self._schedule.draw, steps), strict=True)
        classes, nth = map(np.concatenate, drawn)
        places = self._starts[classes, np.newaxis] + self._groups.rows(classes, nth)
        rows: np.ndarray = self._rows[places].reshape(len(steps), self.size)
        return rows


def make_batches(config: Config, labels: np.ndarray) -> PKBatches:
    """Make the batches of a configuration. Raises RequestError: see `PKBatches`."""
    batch = config.batch
    return PKBatches(labels, **batch.model_dump(), seed=config.seed)
