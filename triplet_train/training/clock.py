"""Speed of a training loop, and its waiting time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """Measures the time since the last call, without the time in `paused` blocks."""

    def __init__(self, step: int) -> None:
        self._step, self._start, self._waited = step, time.perf_counter(), 0.0

    def rates(self, step: int) -> tuple[float, float]:
        """Return steps per second since the last call, and the share of `waiting` in that time."""
        now = time.perf_counter()
        elapsed = now - self._start
        rate, wait = (step - self._step) / elapsed, self._waited / elapsed
        self._step, self._start, self._waited = step, now, 0.0
        return rate, wait

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time of the block as waiting."""
        begun = time.perf_counter()
        yield
        self._waited += time.perf_counter() - begun

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave out the time of the block."""
        begun = time.perf_counter()
        yield
        self._start += time.perf_counter() - begun
