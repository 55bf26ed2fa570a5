"""What was judged, and the judgement as JSON and as text."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from triplet_train.console import Console
from triplet_train.data.images import ImageTable
from triplet_train.embeddings.by_name import with_common_labels
from triplet_train.embeddings.table import EmbeddingTable
from triplet_train.errors import RequestError
from triplet_train.evaluation import Judgement, judge
from triplet_train.evaluation import text as wording
from triplet_train.evaluation.coverage import of_classes
from triplet_train.evaluation.episodes import EpisodeFigures, Episodes, judge_episodes
from triplet_train.run.folder import RunFolder


@dataclass(frozen=True)
class Judged:
    """A judgement, and what was judged.

    Attributes:
        about: where the vectors come from; plain JSON.
        queries, gallery: the rows that have a label, to which the row numbers of the judgement
            refer; without a gallery each query searched the other queries. Classes of one name
            have one label in both.
        class_names: the name of each label; its number, where a file has none.
        judgement: see `triplet_train.evaluation.Judgement`.
        images: of the queries, row for row; None where only vectors are known.
        run: that the tower is from, if it is known.
        episodes: over the queries; None where they were not asked for.
    """

    about: dict[str, str]
    queries: EmbeddingTable
    gallery: EmbeddingTable | None
    class_names: dict[int, str]
    judgement: Judgement
    images: ImageTable | None = None
    run: RunFolder | None = None
    episodes: EpisodeFigures | None = None


def judge_tables(
    about: dict[str, str],
    queries: EmbeddingTable,
    gallery: EmbeddingTable | None,
    console: Console,
    *,
    episodes: Episodes | None = None,
    images: ImageTable | None = None,
    run: RunFolder | None = None,
) -> Judged:
    """Each query searches the gallery, or without one the other queries.

    Args:
        about, run: as in `Judged`.
        images: of all queries, with a label or without.

    Raises:
        RequestError: none of the rows of a table has a label, or see `judge` and `judge_episodes`.
    """
    given = [queries] if gallery is None else [queries, gallery]
    tables = [labelled(table) for table in given]
    places = _places(about)
    for table, place in zip(tables, places, strict=False):
        if not table.ids:
            raise RequestError(
                f"{place}: no row has a label, and without labels there is nothing to evaluate by"
            )
    tables, names = with_common_labels(tables)
    embeddings, labels = tables[0].embeddings, tables[0].labels
    try:
        # First, since it takes seconds and refuses classes that are too few.
        found = None if episodes is None else judge_episodes(embeddings, labels, episodes)
        arrays = [part for table in tables for part in (table.embeddings, table.labels)]
        judgement = judge(*arrays, console=console)
    except RequestError as error:
        raise RequestError(f"{places[0]}: {error}") from error
    unlabelled = sum(len(table.ids) for table in given) - sum(len(table.ids) for table in tables)
    counts = replace(judgement.coverage, rows_without_label=unlabelled)
    return Judged(
        about,
        tables[0],
        tables[1] if gallery else None,
        names,
        replace(judgement, coverage=counts),
        None if unlabelled else images,  # which have other row numbers then
        run,
        found,
    )


def as_json(judged: Judged) -> dict[str, Any]:
    """All but the arrays that have an entry per query or per pair of classes."""
    judgement, names = judged.judgement, judged.class_names
    distances = asdict(judgement.distances)
    # `classes` is the table of them.
    about = {"judged_classes" if key == "classes" else key: v for key, v in judged.about.items()}
    return {
        **about,
        **judgement.figures,
        **asdict(judgement.coverage),
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
    judgement, counts = judged.judgement, judged.judgement.coverage
    gallery = judged.gallery
    searched = "all the others" if gallery is None else f"{len(gallery.ids):,} rows of the gallery"
    lines = [f"{key}: {value}" for key, value in judged.about.items()]
    lines.append(f"{of_classes(counts.queries, counts.query_classes)}, each searching {searched}")
    if counts.rows_without_label:
        lines.append(f"left out, having no label: {counts.rows_without_label:,}")
    if judgement.left_out_labels:
        left_out = of_classes(counts.queries_without_their_class, counts.query_classes_left_out)
        where = "no other row" if gallery is None else "no row in the gallery"
        names = wording.listed(judgement.left_out_labels, judged.class_names)
        lines.append(f"left out, having {where} of their class to find: {left_out} ({names})")
    parts = ["\n".join(lines), wording.as_text(judgement, judged.class_names)]
    if judged.episodes is not None:
        parts.append(wording.episodes_as_text(judged.episodes, judged.class_names))
    return "\n\n".join(parts)


def _places(about: dict[str, str]) -> list[str]:
    """Origin of the queries, and of the gallery if there is one, for a message."""
    if "queries_file" in about:
        return [about[key] for key in ("queries_file", "gallery_file") if key in about]
    return [" ".join(about[key] for key in ("dataset", "split") if key in about)]


def labelled(table: EmbeddingTable) -> EmbeddingTable:
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
