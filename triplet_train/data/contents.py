"""Digests of image files, by which a file with another content is recognised."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from triplet_train.console import SILENT, Console
from triplet_train.data.columns import CONTENT
from triplet_train.data.decoding import refuse_endless
from triplet_train.data.decoding_threads import in_threads
from triplet_train.data.images import ImageTable

_BYTES = 16
_AT_ONCE = 1024  # files, between two steps of the progress bar


def with_contents(images: ImageTable, console: Console = SILENT) -> ImageTable:
    """Add the column `content` with the digest of each file; see `digests`."""
    found = digests(images, range(len(images)), console)
    return replace(images, columns=images.columns | {CONTENT: pa.array(found, pa.string())})


def digests(images: ImageTable, rows: Sequence[int], console: Console = SILENT) -> list[str | None]:
    """Return the BLAKE2b digests of image files, of 16 bytes in hexadecimal.

    Every file is read to its end, once.

    Args:
        images: from files.
        rows: in `images`.
        console: shows the progress.

    Returns:
        A digest for each row; None for a file that cannot be read.
    """
    assert images.path_of is not None
    paths = [images.path_of(row) for row in rows]
    files = list(dict.fromkeys(paths))  # one for all boxes in it
    found: dict[str, str | None] = {}
    with console.bar(len(files), "comparing files") as progress:
        for start in range(0, len(files), _AT_ONCE):
            some = files[start : start + _AT_ONCE]
            found.update(zip(some, in_threads(_digest, some), strict=True))
            progress.update(len(some))
    return [found[path] for path in paths]


def _digest(path: str) -> str | None:
    try:
        refuse_endless(path)
        with open(path, "rb", buffering=0) as file:
            return hashlib.blake2b(file.read(), digest_size=_BYTES).hexdigest()
    except (OSError, ValueError):  # reported when the image is read
        return None
