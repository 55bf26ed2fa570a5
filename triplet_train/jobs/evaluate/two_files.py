"""Rules for two files of embeddings whose vectors are compared."""

from pathlib import Path

import numpy as np

from triplet_train.data.columns import GALLERY, QUERY, roles_of
from triplet_train.embeddings.common_labels import names_of
from triplet_train.embeddings.origin import origin_of, require_one_origin
from triplet_train.embeddings.small_types import rounding_errors
from triplet_train.embeddings.table import EmbeddingTable
from triplet_train.errors import RequestError
from triplet_train.files import listed

_SAME = 1e-3  # of the length: two vectors of one image, computed in different batches, are nearer


def require_searchable(tables: dict[Path, EmbeddingTable]) -> None:
    """Raise RequestError if the queries of the first file cannot search the second."""
    require_one_tower(tables)
    queries, gallery = tables
    _require_a_class_in_common(tables)
    shared = shared_images(*tables.values())
    if shared:
        raise RequestError(
            f"{shared:,} images of {queries} are in {gallery} too and would find themselves; "
            "to evaluate a file by itself, leave out --gallery"
        )


def require_one_tower(tables: dict[Path, EmbeddingTable]) -> None:
    """Raise RequestError if distances between the vectors of two files mean nothing."""
    require_one_origin({file: origin_of(table) for file, table in tables.items()})


def _require_a_class_in_common(tables: dict[Path, EmbeddingTable]) -> None:
    names, others = map(names_of, tables.values())
    if not (names and others):
        return  # a file without labels is refused by itself too
    unnamed = [file for file, table in tables.items() if not any(table.label_names)]
    if unnamed and any(map(_has_names, tables.values())):
        raise RequestError(
            f"{unnamed[0]} does not name its classes, but the other file does; classes of two "
            "files are matched by name"
        )
    if not names & others:
        queries, gallery = tables
        one, other = (listed([repr(name) for name in sorted(all_)], 3) for all_ in (names, others))
        raise RequestError(
            f"{queries} and {gallery} have no class in common: the one has {one}, the other {other}"
        )


def _has_names(table: EmbeddingTable) -> bool:
    """Return True if a class has a name other than its label."""
    rows = zip(table.labels.tolist(), table.label_names, strict=True)
    return any(name not in ("", str(label)) for label, name in rows)


def shared_images(queries: EmbeddingTable, gallery: EmbeddingTable) -> int:
    """Number of queries with the id of an image of the gallery, and its data set or vector."""
    place = {gallery.ids[row]: row for row in _rows_but(QUERY, gallery)}
    rows = [row for row in _rows_but(GALLERY, queries) if queries.ids[row] in place]
    sets = [table.metadata.get("dataset") for table in (queries, gallery)]
    if sets[0] == sets[1] is not None:
        return len(rows)
    vectors = queries.embeddings[rows]
    others = gallery.embeddings[[place[queries.ids[row]] for row in rows]]
    allowed = _SAME * np.linalg.norm(vectors, axis=1)
    for rounded, table in ((vectors, queries), (others, gallery)):
        allowed += rounding_errors(rounded, table.metadata.get("dtype", "float32"))
    return int((np.linalg.norm(vectors - others, axis=1) <= allowed).sum())


def _rows_but(role: str, table: EmbeddingTable) -> list[int]:
    """Rows whose role is another."""
    rows: list[int] = np.flatnonzero(roles_of(table.columns, len(table.ids)) != role).tolist()
    return rows
