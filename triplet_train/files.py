"""Writing beside and renaming: a reader never meets a half-written file."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a path beside `path` to write a file or folder to, which then takes its place.

    If the block raises, what it wrote is removed and `path` is as it was. A suffix is kept, since
    some writers choose their format by it. A folder that is replaced is gone for a moment.
    """
    beside = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    remove(beside)
    try:
        yield beside
        if beside.is_dir() and not beside.is_symlink():
            remove(path)
        os.replace(beside, path)
    finally:
        remove(beside)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with all that is in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write beside `path` and rename."""
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write beside `path` and rename."""
    write_text(path, json.dumps(content, indent=1) + "\n")


def first_line(error: BaseException) -> str:
    """What an error of a library says, without the pages that may follow."""
    return str(error).strip().split("\n")[0] or type(error).__name__
