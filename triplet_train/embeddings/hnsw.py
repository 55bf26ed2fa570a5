"""An approximate index of a large embedding file, kept beside it: HNSW, by faiss."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from triplet_train.embeddings.nearest import nearest
from triplet_train.embeddings.scan import Scan
from triplet_train.errors import RequestError
from triplet_train.files import first_line, read_json, replacing, sha256, write_json

_ABOUT, _INDEX = "about.json", "index.faiss"  # in the folder of an index
_LINKS = 32  # of a vector to others; twice as many in the lowest layer
_LOOKED_AT = 128  # candidates of a search, at least
_SAMPLE, _NEAREST = 256, 10  # for its recall

Progress = Callable[[str, int], object]


@dataclass(frozen=True)
class Index:
    """An index of N vectors.

    Attributes:
        recall: share of the 10 nearest vectors that it finds, over `sampled` vectors of the file.
        sampled: number of vectors.
    """

    faiss_index: Any
    recall: float
    sampled: int

    def nearest(self, queries: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Find nearly all of the nearest rows of each query; see `nearest`."""
        return _search(self.faiss_index, queries, count)


def is_installed() -> bool:
    """Return True if faiss is installed."""
    return find_spec("faiss") is not None


def index_folder(gallery: Path) -> Path:
    """Return the folder of the index of an embedding file, beside it.

    >>> index_folder(Path("a/catalogue.parquet")).name
    'catalogue.parquet.hnsw'
    """
    return gallery.with_name(f"{gallery.name}.hnsw")


def is_current(folder: Path, scan: Scan) -> bool:
    """Return True if there is an index, and it is one of these files.

    Files of the same size and time of change are taken to be the same. Others are compared by their
    SHA-256.

    Raises:
        RequestError: the folder holds something else.
    """
    if not folder.exists():
        return False
    if not (folder / _ABOUT).is_file():
        raise RequestError(
            f"{folder} is not an index of triplet-search, whose name it has; rename it"
        )
    about, files = read_json(folder / _ABOUT), _stamps(scan)
    if about.get("files") == files:
        return True
    if about.get("sha256") != _digests(scan):
        return False
    with suppress(OSError):  # a disk that is read only
        write_json(folder / _ABOUT, about | {"files": files})
    return True


def build_index(folder: Path, scan: Scan, progress: Progress) -> None:
    """Build an index in `folder`, with its recall against the exact search.

    The vectors are in memory, with 4 (D + 64) bytes each.

    Args:
        progress: called with the stage and a number of further rows; 2 N in all.

    Raises:
        OSError: the folder cannot be written.
    """
    import faiss

    files, digests = _stamps(scan), _digests(scan)  # of before, should the files change meanwhile
    rows = np.random.default_rng(0).choice(scan.count, min(_SAMPLE, scan.count), replace=False)
    rows.sort()
    sample = np.empty((len(rows), scan.width), np.float32)
    index = faiss.IndexHNSWFlat(scan.width, _LINKS)
    with replacing(folder) as beside:
        beside.mkdir()
        for block in _counted(scan, lambda done: progress("indexing", done)):
            here = (rows >= index.ntotal) & (rows < index.ntotal + len(block))
            sample[here] = block[rows[here] - index.ntotal]
            index.add(np.ascontiguousarray(block))
        blocks = _counted(scan, lambda done: progress("measuring the recall", done))
        count = min(_NEAREST + 1, scan.count)
        found, exact = _search(index, sample, count), nearest(sample, blocks, count)
        faiss.write_index(index, str(beside / _INDEX))
        about = {"files": files, "sha256": digests, "recall": _recall(rows, found, exact)}
        write_json(beside / _ABOUT, about | {"sampled": len(rows)})


def read_index(folder: Path) -> Index:
    """Open an index. Only the parts that searches need are read from the disk.

    Raises:
        RequestError: it is damaged.
    """
    import faiss

    about = read_json(folder / _ABOUT)
    try:
        index = faiss.read_index(str(folder / _INDEX), faiss.IO_FLAG_MMAP_IFC)
        return Index(index, float(about["recall"]), int(about["sampled"]))
    except (RuntimeError, LookupError, ValueError) as error:
        raise RequestError(
            f"{folder} is damaged: {first_line(error)}; remove it, and it is built again"
        ) from error


def _search(index: Any, queries: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    index.hnsw.efSearch = max(_LOOKED_AT, 2 * count)
    squared, rows = index.search(np.ascontiguousarray(queries), count)
    return rows, np.sqrt(np.maximum(squared, 0), dtype=np.float64)


def _recall(
    own: np.ndarray, found: tuple[np.ndarray, np.ndarray], exact: tuple[np.ndarray, np.ndarray]
) -> float:
    """Share of the rows of the exact search that are found, without each query itself."""
    shares = [
        np.isin(rows[rows != row][:_NEAREST], others[others != row][:_NEAREST]).mean()
        for row, rows, others in zip(own, exact[0], found[0], strict=True)
    ]
    return float(np.mean(shares))


def _counted(scan: Scan, done: Callable[[int], object]) -> Iterator[np.ndarray]:
    for block in scan.blocks():
        yield block
        done(len(block))


def _stamps(scan: Scan) -> list[list[Any]]:
    """Names, sizes and times of change, as JSON has them."""
    states = [(file.name, file.stat()) for file in scan.files]
    return [[name, state.st_size, state.st_mtime_ns] for name, state in states]


def _digests(scan: Scan) -> list[str | None]:
    return list(map(sha256, scan.files))
