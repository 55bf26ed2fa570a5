"""The classes of a batch, as a pure function of (seed, step)."""

import math
from typing import NamedTuple

import numpy as np

_EPOCHS = 1024  # after which each class has appeared as often as its size asks for
_FEWEST, _MOST = 4, 16  # steps whose classes are dealt at once


class _Block(NamedTuple):
    """Some steps in a row, and how often each class appears in them.

    Attributes:
        start: the first step.
        steps: how many.
        classes: int64 [n], those that appear.
        counts: int64 [n], in how many of the steps; together `steps` times P.
        used: int64 [n], in how many of the steps before.
    """

    start: int
    steps: int
    classes: np.ndarray
    counts: np.ndarray
    used: np.ndarray


class ClassSchedule:
    """P distinct classes for every step, in proportion to their sizes as far as that goes.

    How often each class appears in 1,024 epochs is fixed. Half of its appearances, rounded up or
    down at random, fall into the first half of these, and so on, down to a few steps among which
    they are dealt out. So a class appears in any epoch as often as in any other, give or take one.
    To know a step takes the halves that it lies in, and nothing else of what came before.

    Args:
        sizes: integers [C].
        classes: P, at most C.
        epoch: steps.
        seed: decides all draws.
    """

    def __init__(self, sizes: np.ndarray, classes: int, epoch: int, seed: int) -> None:
        self._classes, self._seed = classes, seed
        # In so many steps a class appears about once, and so meets other classes each time.
        self._few = min(epoch, max(_FEWEST, min(_MOST, len(sizes) // classes)))
        self._period = _EPOCHS * epoch
        self._counts = appearances(sizes, classes, self._period)
        self._ahead: list[_Block] = []  # of steps in a row, the first ones last
        self._hands: tuple[range, np.ndarray, np.ndarray] = range(0), sizes, sizes

    def draw(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """The classes of a step, and in how many steps before each has been: int64 [P] both.

        Steps in order cost O(P log(size / K)) each on average, any other O(C log(steps)).
        """
        steps, classes, nth = self._hands
        if step not in steps:
            block = self._block(step)
            steps = range(block.start, block.start + block.steps)
            classes, nth = _dealt(block, self._classes, self._seed)
            self._hands = steps, classes, nth
        return classes[step - steps.start], nth[step - steps.start]

    def _block(self, step: int) -> _Block:
        """A block that holds `step` and few others."""
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
    """In how many of `steps` each class appears: as its size, but at most in all of them.

    Int64 [C], together `steps` times P.
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
    missing = classes * steps - counts.sum()  # less than one for each class that is not in all
    counts[np.flatnonzero(counts < steps)[:missing]] += 1
    return counts


def _halves(block: _Block, seed: int) -> tuple[_Block, _Block]:
    """Its first half and its second, which has one step more if their number is odd.

    Systematic sampling: what is left of each class after rounding down is laid end to end in
    random order, and a class gets one more where a whole number is passed.
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


def _dealt(block: _Block, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The classes of each step, and how often each was used before it: int64 [steps, P] both.

    All appearances are laid end to end in random order; each step takes P of them, one stride of
    `steps` apart. No class appears more often than there are steps, so that the P differ.
    """
    rng = np.random.default_rng((seed, block.start, block.steps))
    order = rng.permutation(len(block.classes))
    points = rng.permutation(block.steps)[:, np.newaxis] + block.steps * np.arange(classes)
    chosen = order[np.searchsorted(np.cumsum(block.counts[order]), points, side="right")]
    # The appearances of a class side by side, in the order of their steps.
    together = np.argsort(chosen, axis=None, kind="stable")
    begin = np.cumsum(block.counts) - block.counts
    nth = np.empty_like(chosen)
    nth.flat[together] = np.arange(chosen.size) + np.repeat(block.used - begin, block.counts)
    return block.classes[chosen], nth
