"""The gallery of a search: opened and refused without TensorFlow, read while that is imported."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from triplet_train.console import Console
from triplet_train.embeddings.files import scan_table
from triplet_train.embeddings.hnsw import (
    Index,
    build_index,
    index_folder,
    is_current,
    is_installed,
    read_index,
)
from triplet_train.embeddings.nearest import nearest
from triplet_train.embeddings.origin import Origin, require_checkpoint
from triplet_train.embeddings.scan import Scan
from triplet_train.errors import RequestError
from triplet_train.files import sha256
from triplet_train.jobs.search.request import SearchRequest

MOST_EXACT = 2_000_000  # vectors; more are searched by an index


@dataclass(frozen=True)
class Gallery:
    """An embedding file that is searched once.

    Attributes:
        path: of the file, or of the folder of its shards.
        scan: its content.
        blocks: all vectors for the exact search, which are being read; None: use an index.
    """

    path: Path
    scan: Scan
    blocks: Iterator[np.ndarray] | None

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata of the file."""
        return self.scan.metadata

    def nearest(
        self, queries: np.ndarray, count: int, console: Console
    ) -> tuple[np.ndarray, np.ndarray, Index | None]:
        """Find the nearest rows of each query, and return them as `nearest` does.

        Build the index first, if it is missing or of another content.

        Args:
            queries: float32 [Q, D].
            count: number of rows to find; fewer in a smaller gallery.

        Returns:
            Rows, distances, and the index that was used; None: the search was exact.
        """
        count = min(count, self.scan.count)
        if self.blocks is not None:
            return *nearest(queries, self.blocks, count), None
        folder = index_folder(self.path)
        if not is_current(folder, self.scan):
            console.say(f"building {folder}, which takes minutes and is kept; --exact does without")
            with console.bar(2 * self.scan.count, "indexing") as bar:
                build_index(folder, self.scan, bar.advance)
        index = read_index(folder)
        return *index.nearest(queries, count), index


def open_gallery(request: SearchRequest, console: Console) -> Gallery:
    """Open the gallery, and begin to read its vectors in the background.

    Raises:
        RequestError: not an embedding file, or see `require_own`. That of an exported tower
            is not known yet.
    """
    scan = scan_table(request.gallery)
    if not scan.count:
        raise RequestError(f"{request.gallery} holds no image")
    if request.tower_file:
        require_own(request, scan, sha256(request.tower_file))
    if scan.count > MOST_EXACT and not request.exact:
        if is_installed():
            return Gallery(request.gallery, scan, blocks=None)
        console.warn(
            f"{request.gallery} has {scan.count:,} images, and all are searched; "
            "pip install 'triplet-train[faiss]' for an index, which takes a fraction of the time"
        )
    blocks = scan.blocks()
    return Gallery(request.gallery, scan, chain([next(blocks)], blocks))


def require_own(request: SearchRequest, scan: Scan, checkpoint_sha256: str | None) -> None:
    """Raise RequestError for a gallery of another checkpoint, or of an unknown one."""
    origin = Origin(scan.metadata, scan.width)
    require_checkpoint(request.gallery, origin)
    if origin.checkpoint != checkpoint_sha256:
        name = scan.metadata.get("checkpoint", "an unknown file")
        raise RequestError(
            f"{request.gallery} comes from another checkpoint, {name} "
            f"(SHA-256 {str(origin.checkpoint)[:12]}...), "
            f"not from {request.checkpoint} "
            f"({str(checkpoint_sha256)[:12]}...); give that one, or embed the gallery again"
        )
