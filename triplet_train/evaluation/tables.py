"""Evaluation of embedding tables, whose classes have names."""

from dataclasses import dataclass, replace

import numpy as np

from triplet_train.data.columns import taken
from triplet_train.data.images import ImageTable
from triplet_train.embeddings.common_labels import with_common_labels
from triplet_train.embeddings.table import EmbeddingTable
from triplet_train.errors import RequestError
from triplet_train.evaluation.episodes import EpisodeResult, Episodes, evaluate_episodes
from triplet_train.evaluation.metrics import METRICS, MetricTable
from triplet_train.evaluation.vectors import Evaluation, Progress, evaluate
from triplet_train.run.folder import RunFolder


@dataclass(frozen=True)
class TableEvaluation:
    """An evaluation, and the tables that were evaluated.

    Attributes:
        about: origin of the vectors; plain JSON.
        queries, gallery: the images with a label, to which the indices of the result refer; without
            a gallery each query searched all other queries. A class has the same label in both.
        class_names: the name of each label; its number where a file has no name.
        result: of the vectors.
        episodes: over the queries; None if not requested.
        images: of the queries, in the same order; None where only vectors are known.
        run: of the tower, if known.
    """

    about: dict[str, str]
    queries: EmbeddingTable
    gallery: EmbeddingTable | None
    class_names: dict[int, str]
    result: Evaluation
    episodes: EpisodeResult | None = None
    images: ImageTable | None = None
    run: RunFolder | None = None

    @property
    def searched_table(self) -> EmbeddingTable:
        """The gallery, or in leave-one-out the queries; `result.neighbours` refers to it."""
        return self.queries if self.gallery is None else self.gallery


def evaluate_tables(
    about: dict[str, str],
    queries: EmbeddingTable,
    gallery: EmbeddingTable | None = None,
    *,
    metrics: MetricTable = METRICS,
    episodes: Episodes | None = None,
    images: ImageTable | None = None,
    run: RunFolder | None = None,
    progress: Progress = lambda stage, queries: None,
) -> TableEvaluation:
    """Evaluate the images with a label; classes of two tables are matched by name.

    Args:
        about, run: as in `TableEvaluation`.
        gallery: without it each query searches all other queries.
        images: of all queries, with a label or without.
        metrics, progress: as in `evaluate`.

    Raises:
        RequestError: a table has no labels, or see `evaluate` and `evaluate_episodes`.
    """
    given = [queries] if gallery is None else [queries, gallery]
    tables = [labelled(table) for table in given]
    origins = _origins(about)
    for table, origin in zip(tables, origins, strict=False):
        if not table.ids:
            raise RequestError(f"{origin}: no image has a label, so there is nothing to evaluate")
    tables, names = with_common_labels(tables)
    embeddings, labels = tables[0].embeddings, tables[0].labels
    try:
        # First, because it takes seconds and refuses too few classes.
        drawn = None if episodes is None else evaluate_episodes(embeddings, labels, episodes)
        arrays = [part for table in tables for part in (table.embeddings, table.labels)]
        result = evaluate(*arrays, metrics=metrics, progress=progress)
    except RequestError as error:
        raise RequestError(f"{origins[0]}: {error}") from error
    unlabelled = sum(len(table.ids) for table in given) - sum(len(table.ids) for table in tables)
    counts = replace(result.coverage, rows_without_label=unlabelled)
    return TableEvaluation(
        about,
        tables[0],
        tables[1] if gallery else None,
        names,
        replace(result, coverage=counts),
        drawn,
        None if unlabelled else images,  # whose indices would differ
        run,
    )


def labelled(table: EmbeddingTable) -> EmbeddingTable:
    """Select the images whose label is not -1."""
    rows = np.flatnonzero(table.labels != -1)
    if len(rows) == len(table.ids):
        return table
    return replace(
        table,
        embeddings=table.embeddings[rows],
        labels=table.labels[rows],
        label_names=[table.label_names[row] for row in rows],
        ids=[table.ids[row] for row in rows],
        columns=taken(table.columns, rows),
    )


def _origins(about: dict[str, str]) -> list[str]:
    """Origin of the queries, and of the gallery if there is one, for a message."""
    if "queries_file" in about:
        return [about[key] for key in ("queries_file", "gallery_file") if key in about]
    return [" ".join(about[key] for key in ("dataset", "split") if key in about)]
