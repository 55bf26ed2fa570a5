"""Reads that fail as on a network disk or with too many open files: once, or from now on."""

import errno
import os
from contextlib import contextmanager

import pytest

MOMENTARY = (errno.EMFILE, errno.ESTALE, errno.EIO)
FOR_GOOD = 10**9


@contextmanager
def failing(owner, name, number=errno.EIO, times=1, after=0, kind=OSError):
    """Make some calls of `owner.name` raise. Yields a list to which each such call is added."""
    real, calls, failed = getattr(owner, name), [], []

    def fails(*arguments, **options):
        calls.append(arguments)
        if after < len(calls) <= after + times:
            failed.append(arguments)
            raise kind(number, os.strerror(number)) if kind is OSError else kind("Input/output")
        return real(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, fails)
        yield failed
