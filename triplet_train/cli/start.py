"""Entry points of the commands. They import little, as Ctrl-C may come meanwhile."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import FrameType

from triplet_train.errors import stopping_signals


def train() -> None:
    """`triplet-train`"""
    _start("train")


def embed() -> None:
    """`triplet-embed`"""
    _start("embed")


def evaluate() -> None:
    """`triplet-eval`"""
    _start("evaluate")


def _start(command: str) -> None:
    _open_closed_streams()
    with ended_at_once():
        module = import_module(f"triplet_train.cli.{command}")
    for number in stopping_signals():
        if number != signal.SIGINT:  # which is KeyboardInterrupt
            signal.signal(number, _stop)
    try:
        module.main()
    except (KeyboardInterrupt, Exception) as error:
        # A module that is being imported may make an error of another kind of it.
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
    """While modules are imported a signal ends the process itself, as nothing is half written."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in stopping_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> None:
    """End as Ctrl-C does, not at once: what is half written is removed on the way."""
    sys.exit(128 + number)


def _open_closed_streams() -> None:
    """Of `2>&-` and the like; else a file that is opened next takes the number, and the text."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))
