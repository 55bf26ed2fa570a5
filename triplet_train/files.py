"""Writing beside and renaming: a file or folder is either whole or not there."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a path beside `path` to write a file or folder to, which then takes its place.

    If the block raises, what it wrote is removed and `path` is as it was. A suffix is kept, since
    some writers choose their format by it.
    """
    beside = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield beside
        if _is_folder(path):
            shutil.rmtree(path)
        os.replace(beside, path)
    finally:
        if _is_folder(beside):
            shutil.rmtree(beside)
        else:
            beside.unlink(missing_ok=True)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def write_text(path: Path, text: str) -> None:
    """Write beside `path` and rename."""
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")
