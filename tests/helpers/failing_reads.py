"""Reads that fail as on a disk in a network, or with too many files open: once, or from now on."""

import errno
import os
from contextlib import contextmanager

import pytest

MOMENTARY = (errno.EMFILE, errno.ESTALE, errno.EIO)
FOR_GOOD = 10**9


@contextmanager
def failing(owner, name, number=errno.EIO, times=1, after=0, kind=OSError):
    """Within it `owner.name` raises at some of its calls. Yields a list that grows by those."""
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
