"""Reading and writing of files. Writing is atomic: a reader never sees a half-written file."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from triplet_train.errors import RequestError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path for a new file, folder or link, which replaces `path` at the end of the block.

    The new content is flushed to the disk before it is renamed, so that a power cut leaves either
    the old or the new one. If the block raises, the new content is removed and `path` is unchanged.
    The yielded path has the name of `path`, because some writers choose their format by the suffix,
    and lies in a temporary folder beside `path`, one for each writer.

    Raises:
        OSError: something cannot be written; the error names `path`.
    """
    try:
        with _beside(path) as folder:
            written = Path(folder, path.name)
            yield written
            if not written.is_symlink():
                flush(written)
            _put(written, path)
            _flush_one(path.parent)
    except OSError as error:
        names = [Path(name) for name in (error.filename, error.filename2) if name is not None]
        if names and not any(map(_is_in_partial, names)):
            raise
        if error.errno is None:  # raised by some libraries
            raise OSError(f"{error}: {str(path)!r}") from error
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Add `path` to an OSError of the block that names no file."""
    try:
        yield
    except OSError as error:
        if error.filename is None:  # a read or a write of an open file
            error.filename = str(path)
        raise


def refuse_file(path: Path, *, overwrite: bool) -> None:
    """Raise RequestError if `path` exists and may not be replaced by a file, or cannot be written.

    Only a file is replaced.
    """
    refuse_replacement(path, overwrite=overwrite)
    if path.is_dir():
        raise RequestError(f"{path} is a folder; give the name of a file")
    refuse_place(path)


def refuse_replacement(path: Path, *, overwrite: bool) -> None:
    """Raise RequestError if `path` exists, unless it is a file or folder to overwrite."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise RequestError(f"{path} is a pipe or a device; give the name of a file")
    if os.path.lexists(path) and not overwrite:  # a broken link exists too
        raise RequestError(f"{path} exists; give --overwrite to replace it")


def refuse_place(path: Path) -> None:
    """Raise RequestError if nothing can be written to the folder of `path`."""
    if not path.parent.is_dir():
        raise RequestError(f"cannot write {path}: there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise RequestError(f"cannot write {path}: no permission to write in {path.parent}")


def remove_partial(folder: Path) -> None:
    """Remove the unfinished files of killed processes from `folder`."""
    for path in folder.glob(".*"):
        if is_partial(path):
            remove(path)


def is_partial(path: Path) -> bool:
    """Return True if `path` is a temporary name of `replacing`.

    Earlier versions put the process number into the name and kept the suffix.
    """
    return re.fullmatch(r"\..+\.([a-z0-9_]{8}|\d+)\.partial(\.\w+)?", path.name) is not None


def _is_in_partial(path: Path) -> bool:
    return any(map(is_partial, (path, *path.parents)))


def _beside(path: Path) -> TemporaryDirectory[str]:
    return TemporaryDirectory(".partial", f".{path.name}.", path.parent)


def _put(written: Path, path: Path) -> None:
    """Rename. An existing folder is moved aside first, and back if the rename fails."""
    old = written.with_name(f"{written.name}~")
    try:
        if written.is_dir() and path.is_dir():
            os.rename(path, old)
        os.replace(written, path)
    except BaseException:
        if old.exists() and not path.exists():
            os.rename(old, path)
        raise


def flush(path: Path) -> None:
    """Flush a file, or a folder with its content, to the disk."""
    if path.is_dir():
        for entry in path.iterdir():
            flush(entry)
    _flush_one(path)


def _flush_one(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with its content, if it exists.

    A folder is renamed first, so that a half-removed folder never has its name.
    """
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
    elif is_partial(path):
        shutil.rmtree(path)
    else:
        with _beside(path) as doomed:
            path.rename(Path(doomed, path.name))


def read_text(path: Path) -> str:
    """Read UTF-8. An OSError names the file."""
    with naming(path):
        return path.read_text(encoding="utf-8")


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 atomically; see `replacing`."""
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON object atomically; see `replacing`."""
    write_text(path, json.dumps(content, indent=1) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object. Raises RequestError if the file holds anything else."""
    try:
        content = json.loads(read_text(path))
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise RequestError(f"{path} is damaged: it does not hold a JSON object")
    return content


def sha256(path: Path) -> str | None:
    """Return the SHA-256 of a file in hexadecimal, or None if there is no file."""
    if not path.is_file():
        return None
    digest = hashlib.sha256()
    with naming(path), path.open("rb") as file:
        while part := file.read(2**20):
            digest.update(part)
    return digest.hexdigest()


def first_line(error: BaseException) -> str:
    """Return the first line of an error message.

    The prefix that TensorFlow puts in front, as in `{{function_node ...}} message`, is removed.
    """
    line = str(error).strip().split("\n")[0] or type(error).__name__
    return re.sub(r"^\{\{.*?\}\} ?", "", line)


def listed(names: Sequence[str], most: int = 10) -> str:
    """Return some names in one line; of many the first.

    >>> listed(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    first = ", ".join(map(in_one_line, names[:most]))
    more = len(names) - most
    return f"{first} and {more:,} more" if more > 0 else first


def in_one_line(text: str) -> str:
    """Escape line ends, tabs and other control characters, to print a name on a terminal.

    >>> in_one_line("a\\nb")
    'a\\\\nb'
    """
    return re.sub(
        r"[\x00-\x1f\x7f-\x9f\u2028\u2029]",
        lambda found: found[0].encode("unicode_escape").decode(),
        text,
    )
