"""The two ways in which a command can fail, each with its exit status."""


class RequestError(Exception):
    """What was asked for is wrong and the user can mend it; the message says how. Exit status 2."""

    exit_status = 2


class RunError(Exception):
    """The request was sound but the run failed. Exit status 1."""

    exit_status = 1
