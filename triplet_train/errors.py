"""How a command can end before it is done; each has its exit status and a message for the user."""


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
    """Ctrl-C: the step was finished and its checkpoint saved."""

    exit_status = 130
