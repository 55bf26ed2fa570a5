"""triplet-eval --queries: what embedding files are worth. It needs no TensorFlow."""

from pathlib import Path

import numpy as np

from triplet_train.console import Console
from triplet_train.embeddings.by_name import names_of
from triplet_train.embeddings.files import read_table
from triplet_train.embeddings.table import EmbeddingTable
from triplet_train.errors import RequestError
from triplet_train.evaluation.episodes import Episodes
from triplet_train.jobs.judged import Judged, judge_tables, labelled

_SAME = 1e-3  # of its length; less between two vectors of one image, computed in other batches


def judge_files(
    queries: Path, gallery: Path | None, console: Console, *, episodes: Episodes | None = None
) -> Judged:
    """Each query searches the gallery, or without one (or with the same file) the other queries.

    Classes of two files are compared by name.

    Raises:
        RequestError: a file that cannot be read; two that come from different towers, share rows
            or have no class in common; or see `judge_tables`.
    """
    found = read_table(queries)
    about = {"queries_file": str(queries)}
    if gallery is None or gallery.resolve() == queries.resolve():
        return judge_tables(about, found, None, console, episodes=episodes)
    searched = read_table(gallery)
    _require_comparable(found, searched, queries, gallery)
    return judge_tables(
        about | {"gallery_file": str(gallery)}, found, searched, console, episodes=episodes
    )


def _require_comparable(
    found: EmbeddingTable, searched: EmbeddingTable, queries: Path, gallery: Path
) -> None:
    """Raises RequestError unless distances between rows of both files mean something."""
    towers = [table.metadata.get("checkpoint_sha256") for table in (found, searched)]
    if towers[0] != towers[1]:
        unsaid = [
            str(file) for file, tower in zip((queries, gallery), towers, strict=True) if not tower
        ]
        if unsaid:
            raise RequestError(f"{unsaid[0]} does not say which checkpoint it comes from")
        raise RequestError(f"{queries} and {gallery} come from different checkpoints")
    widths = [table.embeddings.shape[1] for table in (found, searched)]
    if widths[0] != widths[1]:
        raise RequestError(
            f"vectors have {widths[0]} dimensions in {queries} and {widths[1]} in {gallery}"
        )
    _require_a_class_in_common(found, searched, queries, gallery)
    shared = _shared_rows(found, searched)
    if shared:
        raise RequestError(
            f"{shared:,} rows of {queries} are in {gallery} too and would find themselves; "
            "to judge a file by itself, leave out --gallery"
        )


def _require_a_class_in_common(
    found: EmbeddingTable, searched: EmbeddingTable, queries: Path, gallery: Path
) -> None:
    tables = {queries: labelled(found), gallery: labelled(searched)}
    if not all(len(table.ids) for table in tables.values()):
        return  # a file without labels is refused by itself too
    unnamed = [file for file, table in tables.items() if not any(table.label_names)]
    if unnamed and any(map(_has_names, tables.values())):
        raise RequestError(
            f"{unnamed[0]} does not name its classes and the other file does, so that nothing says "
            "which are the same"
        )
    names, others = map(names_of, tables.values())
    if not names & others:
        raise RequestError(
            f"{queries} and {gallery} have no class in common: the one has {_some(names)}, the "
            f"other {_some(others)}"
        )


def _has_names(table: EmbeddingTable) -> bool:
    """True if a class is named otherwise than by its label."""
    rows = zip(table.labels.tolist(), table.label_names, strict=True)
    return any(name not in ("", str(label)) for label, name in rows)


def _some(names: set[str], most: int = 3) -> str:
    first = ", ".join(map(repr, sorted(names)[:most]))
    more = len(names) - most
    return f"{first} and {more:,} more" if more > 0 else first


def _shared_rows(found: EmbeddingTable, searched: EmbeddingTable) -> int:
    """Rows with an id in common, and a data set or else the vector."""
    place = {id_: row for row, id_ in enumerate(searched.ids)}
    rows = [row for row, id_ in enumerate(found.ids) if id_ in place]
    sets = [table.metadata.get("dataset") for table in (found, searched)]
    if sets[0] == sets[1] is not None:
        return len(rows)
    vectors = found.embeddings[rows]
    others = searched.embeddings[[place[found.ids[row]] for row in rows]]
    apart = np.linalg.norm(vectors - others, axis=1)
    return int((apart <= _SAME * np.linalg.norm(vectors, axis=1)).sum())
