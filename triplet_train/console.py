"""Output on standard error: progress bars, and lines above them."""

import select
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from tqdm import tqdm

from triplet_train.errors import Stopped

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


def hung_up() -> bool:
    """True if the reader of standard error is gone: of a pipe, or the terminal.

    A bar does not tell, as tqdm hides it.
    """
    try:
        number = sys.stderr.fileno()
    except (OSError, ValueError):  # no file of the system, as in a notebook
        return False
    poll = select.poll()
    poll.register(number, 0)  # errors are reported unasked
    return bool(poll.poll(0))


def say(line: str) -> bool:
    """Print a line to standard error, above a bar that is there; whether it could be written."""
    try:
        tqdm.write(line, file=sys.stderr)
    except OSError:
        return False
    return True


def speaker(quiet: bool) -> Say:
    """`say`, or nothing. It raises Stopped, as by SIGPIPE, when a line cannot be written."""

    def speak(line: str) -> None:
        if not quiet and not say(line):
            raise Stopped("", signal.SIGPIPE)

    return speak


def rename(bar: "tqdm[NoReturn]", what: str) -> None:
    """Have the bar say `what`. tqdm would show one that is still hidden, and never take it away."""
    shown = not bar.disable and bar.last_print_t >= bar.start_t + _DELAY
    bar.set_description(what, refresh=shown)
