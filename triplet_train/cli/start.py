"""Entry points of the commands. They import little, so that Ctrl-C works from the start."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import FrameType

from triplet_train.errors import stopping_signals


def train() -> None:
    """Run `triplet-train`."""
    _start("train")


def embed() -> None:
    """Run `triplet-embed`."""
    _start("embed")


def evaluate() -> None:
    """Run `triplet-eval`."""
    _start("evaluate")


def export() -> None:
    """Run `triplet-export`."""
    _start("export")


def search() -> None:
    """Run `triplet-search`."""
    _start("search")


def _start(command: str) -> None:
    _open_closed_streams()
    with ended_at_once():
        module = import_module(f"triplet_train.cli.{command}")
    for number in stopping_signals():
        if number != signal.SIGINT:  # SIGINT raises KeyboardInterrupt
            signal.signal(number, _stop)
    try:
        module.main()
    except (KeyboardInterrupt, Exception) as error:
        # An import that is interrupted may raise another error.
        behind: BaseException | None = error
        while behind:
            if isinstance(behind, KeyboardInterrupt):
                sys.exit(128 + signal.SIGINT)
            if isinstance(behind, SystemExit):
                sys.exit(behind.code)
            behind = behind.__cause__ or behind.__context__
        raise


@contextmanager
def ended_at_once() -> Iterator[None]:
    """Let a signal end the process at once, since imports leave nothing unfinished."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in stopping_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> None:
    """End like Ctrl-C: unfinished files are removed first."""
    sys.exit(128 + number)


def _open_closed_streams() -> None:
    """Open streams closed by `2>&-`. Otherwise the next file gets their number and their output."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))
