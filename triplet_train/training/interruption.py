"""Ctrl-C, SIGTERM and SIGHUP as requests to stop after the current step."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from triplet_train.errors import stopping_signals


@contextmanager
def interruption() -> Iterator[Callable[[], int | None]]:
    """Yield a function that returns the first signal, or None. A second one acts as usual.

    Python takes signals in the main thread only; in another one the function returns None.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    asked: list[int] = []
    before = {number: signal.getsignal(number) for number in stopping_signals()}

    def on_signal(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, on_signal)
    try:
        yield lambda: asked[0] if asked else None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
