"""Whether decoded images are held in memory, or read anew for each batch that needs them."""

from dataclasses import replace

import numpy as np
import psutil

from triplet_train.config import DataConfig
from triplet_train.data.images import ImageTable
from triplet_train.errors import RequestError, RunError
from triplet_train.progress import progress_bar

_READ = 512  # rows decoded at a time
_LISTED = 20  # unreadable images


def budget(data: DataConfig) -> int:
    """Bytes of decoded images to hold; `auto` is half of the memory that is free."""
    if data.cache == "disk":
        return 0
    free = psutil.virtual_memory().available
    if data.cache in ("auto", "memory"):
        return free if data.cache == "memory" else free // 2
    return data.cache_bytes


def cached(table: ImageTable, data: DataConfig, quiet: bool) -> ImageTable:
    """`table`, decoded into memory if it fits the budget. Either way it reads the same.

    Raises:
        RequestError: it has to be in memory and does not fit.
        RunError: images cannot be read; all that are found to be so are listed.
    """
    if table.bytes > budget(data):
        if data.cache == "memory":
            raise RequestError(
                f"data.cache: {table.bytes / 2**30:.1f} GiB of images of {table.split} do not fit "
                f"in {budget(data) / 2**30:.1f} GiB of free memory; with auto or disk they are "
                "read as they are needed"
            )
        return table
    images = np.empty((len(table), *table.image_shape), np.uint8)
    failures: list[str] = []
    with progress_bar(len(table), f"reading {table.split}", quiet) as progress:
        for start in range(0, len(table), _READ):
            rows = np.arange(start, min(start + _READ, len(table)))
            try:
                images[rows] = table.read(rows)
            except RunError:
                failures += _failures(table, rows)
            progress.update(len(rows))
            if len(failures) >= _LISTED:
                break
    if failures:
        raise RunError(
            "\n  ".join([f"images of {table.split} cannot be read:", *failures[:_LISTED]])
        )
    return replace(table, read=lambda rows: images[rows])


def _failures(table: ImageTable, rows: np.ndarray) -> list[str]:
    """What is wrong with each of `rows` that cannot be read."""
    failures = []
    for row in rows:
        try:
            table.read(np.array([row]))
        except RunError as error:
            failures.append(str(error))
    return failures
