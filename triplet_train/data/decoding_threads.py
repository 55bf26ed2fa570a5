"""The threads of a process that read and decode images."""

import functools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")
_THREADS = os.cpu_count() or 1
_MOST = 16  # items at once; a small image takes no longer than to hand it to a thread


def in_threads(function: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Return the results of a function for all items, in order. All callers share the threads."""

    size = max(1, min(_MOST, len(items) // (2 * _THREADS)))

    def some(start: int) -> list[R]:
        return [function(item) for item in items[start : start + size]]

    parts = _threads(os.getpid()).map(some, range(0, len(items), size))
    return list(chain.from_iterable(parts))


@functools.cache
def _threads(process: int) -> ThreadPoolExecutor:
    """Return the threads of this process. A fork does not inherit threads."""
    return ThreadPoolExecutor(_THREADS, "decode")
