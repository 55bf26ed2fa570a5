"""How a command can end before it is done; each has its exit status and a message for the user."""

import signal


class CommandError(Exception):
    """What a command says in one message instead of a traceback."""

    exit_status: int


class RequestError(CommandError):
    """What was asked for is wrong and the user can mend it; the message says how."""

    exit_status = 2


class RunError(CommandError):
    """The request was sound but the run failed."""

    exit_status = 1


class Stopped(CommandError):
    """Ctrl-C (130), SIGTERM (143) or SIGHUP (129): the exit status is 128 and its number."""

    def __init__(self, message: str, number: int = signal.SIGINT) -> None:
        super().__init__(message)
        self.exit_status = 128 + number


def stopping_signals() -> list[signal.Signals]:
    """Those that ask a command to end: Ctrl-C, SIGTERM, and SIGHUP of a terminal that closes.

    What is ignored when the command starts stays so, as under nohup, or in a script's background.
    """
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    return [number for number in signals if signal.getsignal(number) is not signal.SIG_IGN]
