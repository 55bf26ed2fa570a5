"""The progress bar of everything that goes through images and takes more than a moment."""

import sys
from collections.abc import Callable
from typing import NoReturn

from tqdm import tqdm

Say = Callable[[str], object]
_DELAY = 1  # seconds


def progress_bar(images: int, what: str, quiet: bool) -> "tqdm[NoReturn]":
    """A bar that shows itself after a second, on a terminal only, and vanishes when done."""
    return tqdm(
        total=images,
        desc=what,
        unit=" images",
        delay=_DELAY,
        leave=False,
        disable=True if quiet else None,
    )


def speaker(quiet: bool) -> Say:
    """A function that prints a line to standard error, above a bar that is there; or none."""
    return lambda line: quiet or tqdm.write(line, file=sys.stderr)


def rename(bar: "tqdm[NoReturn]", what: str) -> None:
    """Have the bar say `what`. tqdm would show one that is still hidden, and never take it away."""
    shown = not bar.disable and bar.last_print_t >= bar.start_t + _DELAY
    bar.set_description(what, refresh=shown)
