"""triplet-eval: what a checkpoint or a set of embedding files is worth."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from triplet_train.data.classes import judged_rows
from triplet_train.data.images import ImageStream
from triplet_train.embeddings.files import read_table
from triplet_train.embeddings.table import EmbeddingTable
from triplet_train.errors import RequestError
from triplet_train.evaluation import Judgement, judge
from triplet_train.evaluation import text as wording
from triplet_train.evaluation.episodes import EpisodeFigures, Episodes, judge_episodes
from triplet_train.jobs.tower_source import open_tower

_SAME = 1e-3  # of its length; less between two vectors of one image, computed in other batches


@dataclass(frozen=True)
class Judged:
    """A judgement, and what was judged.

    Attributes:
        about: where the vectors come from; plain JSON.
        queries, gallery: the rows that have a label, to which the row numbers of the judgement
            refer; without a gallery each query searched the other queries.
        unlabelled: rows of both that were left out for want of a label.
        class_names: the name of each label; its number, where a file has none.
        judgement: see `triplet_train.evaluation.Judgement`.
        images: of the queries, row for row; None where only vectors are known.
        run_dir: of the run that the tower is from, if it is known.
        episodes: over the queries; None where they were not asked for.
    """

    about: dict[str, str]
    queries: EmbeddingTable
    gallery: EmbeddingTable | None
    unlabelled: int
    class_names: dict[int, str]
    judgement: Judgement
    images: ImageStream | None = None
    run_dir: Path | None = None
    episodes: EpisodeFigures | None = None


def judge_checkpoint(
    checkpoint: Path,
    *,
    split: str | None,
    quiet: bool,
    episodes: Episodes | None = None,
    **wanted: str | None,
) -> Judged:
    """Each row of the split queries all the others.

    `wanted` and what is raised are those of `OpenTower.source`; see `judge_tables` too.
    """
    opened = open_tower(checkpoint)
    source = opened.source(**wanted)
    split = split or opened.default_split(source)
    images = judged_rows(source.table(split, quiet=quiet), source.data).stream()
    about = {"checkpoint": str(opened.file), "dataset": source.name, "split": split}
    if images.classes:
        about["classes"] = images.classes
    judged = judge_tables(about, opened.table(images, quiet=quiet), None, quiet, episodes)
    shown = None if judged.unlabelled else images  # else rows have other numbers
    return replace(judged, images=shown, run_dir=opened.run_dir)


def judge_files(
    queries: Path, gallery: Path | None, *, quiet: bool, episodes: Episodes | None = None
) -> Judged:
    """Each query searches the gallery, or without one (or with the same file) the other queries.

    Raises:
        RequestError: a file that cannot be read; two that come from different towers, share rows
            or name classes differently; or see `judge_tables`.
    """
    found = read_table(queries)
    about = {"queries_file": str(queries)}
    if gallery is None or gallery.resolve() == queries.resolve():
        return judge_tables(about, found, None, quiet, episodes)
    searched = read_table(gallery)
    _require_comparable(found, searched, queries, gallery)
    return judge_tables(about | {"gallery_file": str(gallery)}, found, searched, quiet, episodes)


def as_json(judged: Judged) -> dict[str, Any]:
    """All but the arrays that have an entry per query or per pair of classes."""
    judgement, names = judged.judgement, judged.class_names
    distances = asdict(judgement.distances)
    return {
        **judged.about,
        **judgement.figures,
        "queries": judgement.queries,
        "queries_without_their_class": judgement.left_out,
        "rows_without_label": judged.unlabelled,
        "intervals": judgement.intervals,
        "thresholds": judgement.thresholds,
        "classes_left_out": [
            {"label": label, "name": names[label]} for label in judgement.left_out_labels
        ],
        "classes": [{"name": names[row.label], **asdict(row)} for row in judgement.classes],
        "confusions": [
            {
                "name": names[pair.label],
                "mistaken_for_name": names[pair.mistaken_for],
                **asdict(pair),
            }
            for pair in judgement.confusions
        ],
        "distances": {name: values.tolist() for name, values in distances.items()},
        **({"episodes": _episodes_as_json(judged.episodes, names)} if judged.episodes else {}),
    }


def as_text(judged: Judged) -> str:
    """What was judged, what was left out, and the judgement in words."""
    judgement = judged.judgement
    gallery = judged.gallery
    searched = "all the others" if gallery is None else f"{len(gallery.ids):,} rows of the gallery"
    lines = [f"{key}: {value}" for key, value in judged.about.items()]
    lines.append(f"{judgement.queries:,} queries, each searching {searched}")
    if judged.unlabelled:
        lines.append(f"left out, having no label: {judged.unlabelled:,}")
    if judgement.left_out:
        where = "no other row" if gallery is None else "no row in the gallery"
        names = wording.listed(judgement.left_out_labels, judged.class_names)
        lines.append(
            f"left out, having {where} of their class to find: {judgement.left_out:,} ({names})"
        )
    parts = ["\n".join(lines), wording.as_text(judgement, judged.class_names)]
    if judged.episodes is not None:
        parts.append(wording.episodes_as_text(judged.episodes, judged.class_names))
    return "\n\n".join(parts)


def judge_tables(
    about: dict[str, str],
    queries: EmbeddingTable,
    gallery: EmbeddingTable | None,
    quiet: bool,
    episodes: Episodes | None = None,
) -> Judged:
    """Each query searches the gallery, or without one the other queries.

    Raises:
        RequestError: none of the rows of a table has a label, or see `judge` and `judge_episodes`.
    """
    given = [queries] if gallery is None else [queries, gallery]
    tables = [_labelled(table) for table in given]
    if not all(len(table.ids) for table in tables):
        raise RequestError("no row has a label, and without labels there is nothing to judge by")
    names: dict[int, str] = {}
    for table in tables:
        names |= _names(table)
    embeddings, labels = tables[0].embeddings, tables[0].labels
    # First, since it takes seconds and refuses classes that are too few.
    found = None if episodes is None else judge_episodes(embeddings, labels, episodes)
    return Judged(
        about,
        tables[0],
        tables[1] if gallery else None,
        sum(len(table.ids) for table in given) - sum(len(table.ids) for table in tables),
        names,
        judge(
            *(part for table in tables for part in (table.embeddings, table.labels)), quiet=quiet
        ),
        episodes=found,
    )


def _episodes_as_json(found: EpisodeFigures, names: dict[int, str]) -> dict[str, Any]:
    """All but the accuracy of each episode."""
    fewest, most = found.queries_per_class
    return {
        "ways": found.asked.ways,
        "shots": found.asked.shots,
        "queries_per_class": most,
        "fewest_queries_per_class": fewest,
        "episodes": found.asked.episodes,
        "seed": found.asked.seed,
        "accuracy": found.accuracy,
        "interval": found.interval,
        "classes": found.classes,
        "classes_left_out": [
            {"label": label, "name": names[label]} for label in found.left_out_labels
        ],
    }


def _labelled(table: EmbeddingTable) -> EmbeddingTable:
    """The rows whose label is not -1."""
    rows = np.flatnonzero(table.labels != -1)
    if len(rows) == len(table.ids):
        return table
    return replace(
        table,
        embeddings=table.embeddings[rows],
        labels=table.labels[rows],
        label_names=[table.label_names[row] for row in rows],
        ids=[table.ids[row] for row in rows],
        images=None if table.images is None else table.images[rows],
    )


def _names(table: EmbeddingTable) -> dict[int, str]:
    names = dict(zip(table.labels.tolist(), table.label_names, strict=True))
    return {label: name or str(label) for label, name in names.items()}


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
    names, others = _names(found), _names(searched)
    for label in sorted(names.keys() & others.keys()):
        if names[label] != others[label]:
            raise RequestError(
                f"label {label} is {names[label]!r} in {queries} and {others[label]!r} in "
                f"{gallery}: their labels are not of the same classes"
            )
    shared = _shared_rows(found, searched)
    if shared:
        raise RequestError(
            f"{shared:,} rows of {queries} are in {gallery} too and would find themselves; "
            "to judge a file by itself, leave out --gallery"
        )


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
