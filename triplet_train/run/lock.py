"""The lock of a run folder: one process at a time works in it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from filelock import FileLock, Timeout

from triplet_train.errors import RequestError
from triplet_train.run.folder import RunFolder


@contextmanager
def locked(run: RunFolder) -> Iterator[None]:
    """Hold the lock within the block.

    The system releases the lock of a process that is killed; its lock file remains, but does not
    block other processes.

    Raises:
        RequestError: another process holds it.
    """
    lock = FileLock(run.lock, fallback_to_soft=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise RequestError(
            f"another process is using {run}; wait for it to end, or choose another --run-dir"
        ) from None
    try:
        yield
    finally:
        with suppress(OSError):  # Windows removes no open file; the release does
            run.lock.unlink()  # first, as afterwards it may be another process's
        lock.release()
