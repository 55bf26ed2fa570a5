"""Reading ahead in a thread."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def read_ahead(batches: Iterable[T]) -> Iterator[T]:
    """Yield the batches in order; a thread reads the next one while the last one is used.

    An exception of the reader is raised after the batches before it. If the consumer stops, no
    further batch is read.
    """
    source = iter(batches)

    def read() -> list[T]:
        return list(islice(source, 1))

    with ThreadPoolExecutor(1) as thread:
        ready = thread.submit(read)
        while batch := ready.result():
            ready = thread.submit(read)
            yield from batch
