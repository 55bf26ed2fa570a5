"""Locks: one process at a time works in a run folder, or writes a file."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from triplet_train.errors import RequestError
from triplet_train.run.folder import RunFolder


def locked(run: RunFolder) -> AbstractContextManager[None]:
    """Hold the lock of a run folder within the block; see `locked_by`."""
    refusal = f"another process is using {run}; wait for it to end, or choose another --run-dir"
    return locked_by(run.lock, refusal)


@contextmanager
def locked_by(file: Path, refusal: str) -> Iterator[None]:
    """Hold a lock within the block.

    The system releases the lock of a process that is killed; its lock file remains, but does not
    block other processes.

    Raises:
        RequestError: another process holds it; the message is `refusal`.
    """
    lock = FileLock(file, fallback_to_soft=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise RequestError(refusal) from None
    try:
        yield
    finally:
        with suppress(OSError):  # Windows removes no open file; the release does
            file.unlink()  # first, as afterwards it may be another process's
        lock.release()
