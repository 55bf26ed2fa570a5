"""Where the time of a training loop goes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """Time since the last look, without evaluation and saving; and what of it was spent waiting."""

    def __init__(self, step: int) -> None:
        self._step, self._start, self._waited = step, time.perf_counter(), 0.0

    def look(self, step: int) -> tuple[float, float]:
        """Steps per second since the last look, and the share of the time in `waiting` blocks."""
        now = time.perf_counter()
        elapsed = now - self._start
        rate, wait = (step - self._step) / elapsed, self._waited / elapsed
        self._step, self._start, self._waited = step, now, 0.0
        return rate, wait

    @contextmanager
    def waiting(self) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        self._waited += time.perf_counter() - begun

    @contextmanager
    def paused(self) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        self._start += time.perf_counter() - begun
