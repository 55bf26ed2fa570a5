"""Decoded images in memory, if they fit."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import psutil

from triplet_train.config import DataConfig
from triplet_train.console import SILENT, Console
from triplet_train.data.images import ImageTable
from triplet_train.errors import RequestError, RunError

_READ = 512  # images decoded at a time
_LISTED = 20  # unreadable images


def budget(data: DataConfig) -> int:
    """Bytes of memory for decoded images; `auto` is half of the free memory."""
    if data.cache == "disk":
        return 0
    free = psutil.virtual_memory().available
    if data.cache in ("auto", "memory"):
        return free if data.cache == "memory" else free // 2
    return data.cache_bytes


def which_fit(tables: Sequence[ImageTable], data: DataConfig) -> list[bool]:
    """Decide for each table, in order, if it fits into the rest of the budget.

    Raises:
        RequestError: a table has to be held in memory and does not fit.
    """
    left, answers = budget(data), []
    for table in tables:
        answers.append(table.bytes <= left)
        if data.cache == "memory" and not answers[-1]:
            raise RequestError(
                f"data.cache: {table.bytes / 2**30:.1f} GiB of images of {table.split} do not fit "
                f"in {left / 2**30:.1f} GiB of memory; with auto or disk they are read as they "
                "are needed"
            )
        left -= table.bytes if answers[-1] else 0
    return answers


def cached(
    tables: Sequence[ImageTable], data: DataConfig, console: Console = SILENT
) -> list[ImageTable]:
    """Decode the tables that fit into memory. The others are returned unchanged.

    Raises:
        RequestError: see `which_fit`.
        RunError: images cannot be read; the message counts all of the table.
    """
    held = zip(tables, which_fit(tables, data), strict=True)
    return [_decoded(table, console) if fits else table for table, fits in held]


def _decoded(table: ImageTable, console: Console) -> ImageTable:
    images = np.empty((len(table), *table.image_shape), np.uint8)
    failures: list[str] = []
    with console.bar(len(table), f"reading {table.split}") as progress:
        for start in range(0, len(table), _READ):
            rows = np.arange(start, min(start + _READ, len(table)))
            images[rows], failed = table.try_read(rows)
            failures += failed.values()
            progress.update(len(rows))
    if failures:
        more = [f"and {len(failures) - _LISTED:,} more"] if len(failures) > _LISTED else []
        heading = f"{len(failures):,} images of {table.split} cannot be read:"
        raise RunError("\n  ".join([heading, *failures[:_LISTED], *more]))
    return replace(table, try_read=lambda rows: (images[rows], {}), pixels=images)
