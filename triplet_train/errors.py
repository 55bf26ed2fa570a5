"""Errors that end a command, each with an exit status and a message for the user."""

import signal


class CommandError(Exception):
    """Base of the errors that a command reports as one message instead of a traceback."""

    exit_status: int


class RequestError(CommandError):
    """The request is wrong; the message says what to change."""

    exit_status = 2


class RunError(CommandError):
    """The request is valid, but the run failed."""

    exit_status = 1


class Stopped(CommandError):
    """A signal stopped the command: Ctrl-C (130), SIGTERM (143) or SIGHUP (129).

    The exit status is 128 plus the number of the signal.
    """

    def __init__(self, message: str, number: int = signal.SIGINT) -> None:
        super().__init__(message)
        self.number = number
        self.exit_status = 128 + number


def stopping_signals() -> list[signal.Signals]:
    """Return the signals that end a command: Ctrl-C, SIGTERM, and SIGHUP of a closed terminal.

    Signals that are ignored at the start stay ignored, as under nohup or in the background of a
    script. Handlers that are not Python's stay, too, since they could not be given back.
    """
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    return [each for each in signals if signal.getsignal(each) not in (signal.SIG_IGN, None)]
