"""Reading while what was read before is used."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def read_ahead(batches: Iterable[T]) -> Iterator[T]:
    """Yield the batches in order, each read in a thread while the one before it is used.

    What reading raises is raised in its place, after the batches before it. Where the consumer
    stops, the batch that is being read is the last.
    """
    source = iter(batches)

    def read() -> list[T]:
        return list(islice(source, 1))

    with ThreadPoolExecutor(1) as thread:
        ready = thread.submit(read)
        while batch := ready.result():
            ready = thread.submit(read)
            yield from batch
