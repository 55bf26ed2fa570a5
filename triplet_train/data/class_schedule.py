"""The classes of a batch, as a pure function of (seed, step)."""

import math
from typing import NamedTuple

import numpy as np

_EPOCHS = 1024  # period, in which each class appears in proportion to its size
_FEWEST, _MOST = 4, 16  # steps whose classes are drawn together


class _Block(NamedTuple):
    """Consecutive steps and the number of appearances of each class in them.

    Attributes:
        start: the first step.
        steps: number of steps.
        classes: int64 [n], classes that appear.
        counts: int64 [n], appearances of each class; their sum is `steps` times P.
        used: int64 [n], appearances of each class before `start`.
    """

    start: int
    steps: int
    classes: np.ndarray
    counts: np.ndarray
    used: np.ndarray


class ClassSchedule:
    """P distinct classes for every step, drawn in proportion to their sizes if possible.

    The number of appearances of each class in 1,024 epochs is fixed. Half of them, rounded up or
    down at random, fall into the first half of these epochs, and so on by bisection, down to a few
    steps whose classes are drawn together. The appearances of a class in two epochs differ by at
    most one. A step is computed from the intervals that contain it, independent of other steps.

    Args:
        sizes: integers [C], images of each class.
        classes: P, at most C.
        epoch: steps in an epoch.
        seed: decides all draws.
    """

    def __init__(self, sizes: np.ndarray, classes: int, epoch: int, seed: int) -> None:
        self._classes, self._seed = classes, seed
        # A class appears about once in this many steps, so it meets other classes each time.
        self._few = min(epoch, max(_FEWEST, min(_MOST, len(sizes) // classes)))
        self._period = _EPOCHS * epoch
        self._counts = appearances(sizes, classes, self._period)
        self._ahead: list[_Block] = []  # consecutive blocks, in reverse order
        self._drawn: tuple[range, np.ndarray, np.ndarray] = range(0), sizes, sizes

    def draw(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the classes of a step, and in how many steps before each appears: int64 [P] both.

        The mean cost is O(P log(size / K)) for steps in order, and O(C log(steps)) for others.
        """
        steps, classes, nth = self._drawn
        if step not in steps:
            block = self._block(step)
            steps = range(block.start, block.start + block.steps)
            classes, nth = _draw(block, self._classes, self._seed)
            self._drawn = steps, classes, nth
        return classes[step - steps.start], nth[step - steps.start]

    def _block(self, step: int) -> _Block:
        """Return a block of few steps that contains `step`."""
        ahead = self._ahead
        while ahead and not 0 <= step - ahead[-1].start < ahead[-1].steps:
            ahead.pop()
        if not ahead:
            period, every = step // self._period, np.arange(len(self._counts))
            start, used = period * self._period, period * self._counts
            ahead.append(_Block(start, self._period, every, self._counts, used))
        while ahead[-1].steps > self._few:
            first, second = _halves(ahead.pop(), self._seed)
            ahead += [second, first] if step < second.start else [second]
        return ahead.pop()


def appearances(sizes: np.ndarray, classes: int, steps: int) -> np.ndarray:
    """Return the appearances of each class in `steps`: int64 [C] with sum `steps` times P.

    They are proportional to the sizes, but at most `steps`.
    """
    capped = np.zeros(len(sizes), bool)
    while True:
        room, rest = classes - capped.sum(), np.where(capped, 0, sizes)
        too_large = rest * room > rest.sum()
        if not too_large.any():
            break
        capped |= too_large
    whole, part = np.divmod(rest * room, max(rest.sum(), 1))
    counts = np.where(capped, steps, whole * steps + part * steps // max(rest.sum(), 1))
    missing = classes * steps - counts.sum()  # less than one for each class that is not capped
    counts[np.flatnonzero(counts < steps)[:missing]] += 1
    return counts


def _halves(block: _Block, seed: int) -> tuple[_Block, _Block]:
    """Bisect a block. The second half has one step more if the number of steps is odd.

    Systematic sampling: the remainders after rounding down are added up in random order, and a
    class gets one more appearance if the sum passes an integer at its remainder.
    """
    rng = np.random.default_rng((seed, block.start, block.steps))
    half = block.steps // 2
    common = math.gcd(half, block.steps)
    part, whole = half // common, block.steps // common
    first, rest = np.divmod(block.counts * part, whole)
    order = rng.permutation(len(first))
    passed = (np.cumsum(rest[order]) + rng.integers(whole)) // whole
    first[order] += np.diff(passed, prepend=0)
    return (
        _of_those_that_appear(block, block.start, half, first, block.used),
        _of_those_that_appear(
            block, block.start + half, block.steps - half, block.counts - first, block.used + first
        ),
    )


def _of_those_that_appear(
    block: _Block, start: int, steps: int, counts: np.ndarray, used: np.ndarray
) -> _Block:
    there = np.flatnonzero(counts)
    return _Block(start, steps, block.classes[there], counts[there], used[there])


def _draw(block: _Block, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes of each step, and their appearances before it: int64 [steps, P] both.

    The appearances of all classes are lined up in random order of the classes. Each step takes P of
    them at a stride of `steps`. They are distinct, since no class appears more than `steps` times.
    """
    rng = np.random.default_rng((seed, block.start, block.steps))
    order = rng.permutation(len(block.classes))
    points = rng.permutation(block.steps)[:, np.newaxis] + block.steps * np.arange(classes)
    chosen = order[np.searchsorted(np.cumsum(block.counts[order]), points, side="right")]
    # Sort appearances by class, then by step.
    together = np.argsort(chosen, axis=None, kind="stable")
    begin = np.cumsum(block.counts) - block.counts
    nth = np.empty_like(chosen)
    nth.flat[together] = np.arange(chosen.size) + np.repeat(block.used - begin, block.counts)
    return block.classes[chosen], nth
