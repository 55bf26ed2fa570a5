"""Which rows share a batch: P x K batches as a pure function of (seed, step)."""

import math

import numpy as np

from triplet_train.config import Config
from triplet_train.errors import RequestError

_ROUNDING, _CLASSES, _ROWS = range(3)  # streams of random numbers that never meet
_UNIT = 1 << 20  # quotas are integers in this fraction of an appearance, so that sums are exact


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
        seed: decides all draws.

    Attributes:
        size: P x K, images in a batch.
        steps_per_epoch: steps that use about as many rows as there are.
        left_out: labels of the classes with a single row.
        repeated: labels of the classes with fewer than K rows.

    Raises:
        RequestError: fewer than P classes have two rows.
    """

    def __init__(self, labels: np.ndarray, *, classes: int, per_class: int, seed: int) -> None:
        order = np.argsort(labels, kind="stable")
        values, starts, sizes = np.unique(labels[order], return_index=True, return_counts=True)
        members = np.split(order, starts[1:])
        self.left_out = values[sizes < 2].tolist()
        self.repeated = values[(sizes >= 2) & (sizes < per_class)].tolist()
        usable = [rows for rows in members if len(rows) >= 2]
        if classes > len(usable):
            raise RequestError(
                f"batch.classes: {classes} distinct classes cannot be drawn from the "
                f"{len(usable)} that have at least two images"
            )
        sizes = np.array([len(rows) for rows in usable])
        self.size = classes * per_class
        self.steps_per_epoch = math.ceil(sizes.sum() / self.size)
        self._schedule = _ClassSchedule(sizes, classes, self.steps_per_epoch, seed)
        self._streams = [
            _RowStream(rows, per_class, (seed, _ROWS, index)) for index, rows in enumerate(usable)
        ]

    def rows(self, step: int) -> np.ndarray:
        """Row numbers of batch `step`: int64 [P * K], the K rows of a class side by side.

        Depends on `step` and the constructor's arguments only. With C classes, steps in order cost
        O(C + P K) each; any other step costs up to an epoch of them. For one thread at a time.
        """
        chosen, nth = self._schedule.draw(step)
        return np.concatenate([self._streams[c].group(n) for c, n in zip(chosen, nth, strict=True)])


def make_batches(config: Config, labels: np.ndarray) -> PKBatches:
    """As `batch` and `seed` of a configuration ask for. Raises RequestError: see `PKBatches`."""
    batch = config.batch
    return PKBatches(labels, classes=batch.classes, per_class=batch.per_class, seed=config.seed)


class _ClassSchedule:
    """Which P classes make a step, and how often each of them was drawn before."""

    def __init__(self, sizes: np.ndarray, classes: int, steps: int, seed: int) -> None:
        self._classes, self._steps, self._seed = classes, steps, seed
        self._quota = _quota(sizes, classes, steps)
        self._rewind()

    def draw(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        epoch, within = divmod(step, self._steps)
        if (epoch, within) < (self._epoch, self._within):
            self._rewind()
        while self._epoch < epoch:
            self._open_next_epoch()
        while self._within < within:
            self._next()
        return self._next()

    def _rewind(self) -> None:
        self._epoch, self._within = -1, 0
        self._left = self._used = np.zeros_like(self._quota)

    def _open_next_epoch(self) -> None:
        self._used = self._used + self._left  # as if the open epoch had been drawn to its end
        self._epoch, self._within = self._epoch + 1, 0
        self._left = self._appearances(self._epoch)

    def _appearances(self, epoch: int) -> np.ndarray:
        """How often each class appears in `epoch`: its quota rounded, adding up to P x steps.

        Rounding the running total at a random phase gives each class its quota on average.
        """
        rng = np.random.default_rng((self._seed, _ROUNDING, epoch))
        order = rng.permutation(len(self._quota))
        total = (np.cumsum(self._quota[order]) + rng.integers(_UNIT)) // _UNIT
        counts = np.empty_like(self._quota)
        counts[order] = np.diff(total, prepend=0)
        return counts

    def _next(self) -> tuple[np.ndarray, np.ndarray]:
        """Draw each class with probability (its appearances left) / (steps left).

        Systematic sampling: the appearances left are laid end to end in random order and read at
        P points, one stride of `steps left` apart. No class is longer than a stride, so the P
        differ; a class as long as a stride is always hit, so none is left over in the end.
        """
        rng = np.random.default_rng((self._seed, _CLASSES, self._epoch, self._within))
        steps_left = self._steps - self._within
        order = rng.permutation(len(self._left))
        points = rng.integers(steps_left) + steps_left * np.arange(self._classes)
        chosen = order[np.searchsorted(np.cumsum(self._left[order]), points, side="right")]
        nth = self._used[chosen]
        self._left[chosen] -= 1
        self._used[chosen] += 1
        self._within += 1
        return chosen, nth


class _RowStream:
    """The rows of one class in groups of K: shuffled passes, cut without regard to their ends."""

    def __init__(self, rows: np.ndarray, per_class: int, key: tuple[int, ...]) -> None:
        self._rows, self._per_class, self._key = rows, per_class, key
        # After K / gcd passes the end of a pass is the end of a group: a cycle stands by itself.
        self._groups = len(rows) // math.gcd(len(rows), per_class)
        self._passes: dict[tuple[int, int], np.ndarray] = {}

    def group(self, nth: int) -> np.ndarray:
        """The nth group: int64 [K], distinct unless the class is smaller than K."""
        size, k = len(self._rows), self._per_class
        if size < k:
            return np.resize(
                np.random.default_rng((*self._key, int(nth))).permutation(self._rows), k
            )
        cycle, index = divmod(int(nth), self._groups)
        first, last = index * k // size, (index * k + k - 1) // size
        rows = np.concatenate([self._pass(cycle, number) for number in range(first, last + 1)])
        return rows[index * k - first * size :][:k]

    def _pass(self, cycle: int, number: int) -> np.ndarray:
        """All rows once, those of the group that the previous pass left open not at the start."""
        if (cycle, number) not in self._passes:
            order = np.random.default_rng((*self._key, cycle, number)).permutation(self._rows)
            size, k = len(self._rows), self._per_class
            open_group = number * size % k
            if open_group:
                taken = np.isin(order, self._pass(cycle, number - 1)[-open_group:])
                head = order[~taken][: k - open_group]
                order = np.concatenate([head, order[~np.isin(order, head)]])
            before = (cycle, number - 1)  # all that a group that begins there still needs
            self._passes = {key: rows for key, rows in self._passes.items() if key == before}
            self._passes[cycle, number] = order
        return self._passes[cycle, number]


def _quota(sizes: np.ndarray, classes: int, steps: int) -> np.ndarray:
    """Appearances of each class per epoch, in units: as its size, but at most one per step."""
    share = np.zeros(len(sizes))
    capped = share > 1
    while True:
        rest = np.where(capped, 0, sizes)
        share = np.where(capped, 1.0, (classes - capped.sum()) * rest / max(rest.sum(), 1))
        if not (share > 1).any():
            break
        capped |= share > 1
    quota = np.floor(share * steps * _UNIT).astype(np.int64)
    missing = classes * steps * _UNIT - quota.sum()  # less than one unit per class not at its cap
    quota[np.flatnonzero(quota < steps * _UNIT)[:missing]] += 1
    return quota
