"""Writing beside and renaming: a reader never meets a half-written file."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from triplet_train.errors import RequestError

RUN_FILES = ("config.yaml", "environment.json")  # a folder that holds both is that of a run
PROJECTOR_CONFIG = "projector_config.pbtxt"  # a folder that holds it is an export for TensorBoard


def is_written(files: Collection[str]) -> bool:
    """True if a command wrote the folder with these files, so that its images are no data.

    >>> is_written(["config.yaml", "environment.json", "report.html"]), is_written(["config.yaml"])
    (True, False)
    """
    return PROJECTOR_CONFIG in files or all(name in files for name in RUN_FILES)


def plots_name(page: str) -> str:
    """The name of the folder beside a page that holds its plots."""
    return "plots" if page == "report.html" else f"{page.removesuffix('.html')}_plots"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a path to write a file, folder or link to, which then takes the place of `path`.

    What was written is on the disk before it takes the place, so that a power cut leaves the one or
    the other. If the block raises, it is removed and `path` is as it was. It bears the name of
    `path`, since some writers choose their format by the suffix, in a folder of its own beside
    `path`: another process that writes the same file has another folder.

    Raises:
        OSError: something cannot be written; it names `path`.
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
        if error.errno is None:  # as some libraries have it
            raise OSError(f"{error}: {str(path)!r}") from error
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """An OSError from within it says that it is about `path`, unless it names a file itself."""
    try:
        yield
    except OSError as error:
        if error.filename is None:  # of a read or a write, when the file is open
            error.filename = str(path)
        raise


def remove_partial(folder: Path) -> None:
    """Remove what killed processes were writing in `folder`."""
    for path in folder.glob(".*"):
        if is_partial(path):
            remove(path)


def is_partial(path: Path) -> bool:
    """True if `path` is written to before it takes its place.

    Versions before this one had the number of the process in the name, and kept the suffix.
    """
    return re.fullmatch(r"\..+\.([a-z0-9_]{8}|\d+)\.partial(\.\w+)?", path.name) is not None


def _is_in_partial(path: Path) -> bool:
    return any(map(is_partial, (path, *path.parents)))


def _beside(path: Path) -> TemporaryDirectory[str]:
    return TemporaryDirectory(".partial", f".{path.name}.", path.parent)


def _put(written: Path, path: Path) -> None:
    """Rename. A folder that is there is moved aside first, and back if the new one cannot come."""
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
    """Have the disk take a file, or a folder with all that is in it."""
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
    """Remove a file, a link or a folder with all that is in it, if it is there.

    A folder is renamed first, so that none that is half removed bears its name.
    """
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
    elif is_partial(path):
        shutil.rmtree(path)
    else:
        with _beside(path) as doomed:
            path.rename(Path(doomed, path.name))


def read_text(path: Path) -> str:
    """UTF-8. An OSError names the file."""
    with naming(path):
        return path.read_text(encoding="utf-8")


def write_text(path: Path, text: str) -> None:
    """Write beside `path` and rename."""
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write beside `path` and rename."""
    write_text(path, json.dumps(content, indent=1) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """What `write_json` wrote. Raises RequestError where it holds something else."""
    try:
        content = json.loads(read_text(path))
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise RequestError(f"{path} is damaged: it does not hold a JSON object")
    return content


def sha256(path: Path) -> str | None:
    """Of a file's bytes, in hexadecimal; None where there is no file."""
    with naming(path):
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def first_line(error: BaseException) -> str:
    """First line of the message of an error, without the pages that may follow.

    Nor has it the operation that TensorFlow puts in front, as in `{{function_node ...}} message`.
    """
    line = str(error).strip().split("\n")[0] or type(error).__name__
    return re.sub(r"^\{\{.*?\}\} ?", "", line)


def in_one_line(text: str) -> str:
    """A name as a terminal can show it: line ends, tabs and other control characters escaped.

    >>> in_one_line("a\\nb")
    'a\\\\nb'
    """
    return re.sub(
        r"[\x00-\x1f\x7f-\x9f\u2028\u2029]",
        lambda found: found[0].encode("unicode_escape").decode(),
        text,
    )
