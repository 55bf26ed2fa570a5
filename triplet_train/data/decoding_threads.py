"""The threads of a process that read and decode images."""

import functools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")
_AT_ONCE = 16  # a small image takes no longer than to hand it to a thread


def in_threads(function: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Return the results of a function for all items, in order. All callers share the threads."""

    def some(start: int) -> list[R]:
        return [function(item) for item in items[start : start + _AT_ONCE]]

    parts = _threads(os.getpid()).map(some, range(0, len(items), _AT_ONCE))
    return list(chain.from_iterable(parts))


@functools.cache
def _threads(process: int) -> ThreadPoolExecutor:
    """Return the threads of this process. A fork does not inherit threads."""
    return ThreadPoolExecutor(os.cpu_count(), "decode")
