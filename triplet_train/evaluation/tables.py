"""Evaluation of embedding tables, whose classes have names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from triplet_train.data.images import ImageTable
from triplet_train.embeddings.common_labels import with_common_labels
from triplet_train.embeddings.table import EmbeddingTable
from triplet_train.errors import RequestError
from triplet_train.evaluation.comparison import Comparison
from triplet_train.evaluation.episodes import EpisodeResult, Episodes, evaluate_episodes
from triplet_train.evaluation.examples import examples_of
from triplet_train.evaluation.metrics import METRICS, MetricTable
from triplet_train.evaluation.search import NEIGHBOURS
from triplet_train.evaluation.thresholds import ThresholdErrors, errors_of
from triplet_train.evaluation.vectors import Evaluation, Progress, evaluate
from triplet_train.run.folder import RunFolder


@dataclass(frozen=True)
class TableEvaluation:
    """An evaluation, and the tables that were evaluated.

    Attributes:
        about: origin of the vectors; plain JSON.
        queries, gallery: the images, to which the indices of the result refer; without a gallery
            `queries` is the gallery too. A class has the same label in both.
        class_names: the name of each label, and of -1; its number where a file has no name.
        result: of the vectors.
        episodes: over the queries; None if not requested.
        threshold_errors: of thresholds that were chosen on other images.
        images: of the queries, in the same order; None where only vectors are known.
        run: of the tower, if known.
        comparisons: with other towers, on the same images; empty if not requested.
    """

    about: dict[str, str]
    queries: EmbeddingTable
    gallery: EmbeddingTable | None
    class_names: dict[int, str]
    result: Evaluation
    episodes: EpisodeResult | None = None
    threshold_errors: list[ThresholdErrors] = field(default_factory=list)
    images: ImageTable | None = None
    run: RunFolder | None = None
    comparisons: Sequence[Comparison] = ()


def evaluate_tables(
    about: dict[str, str],
    queries: EmbeddingTable,
    gallery: EmbeddingTable | None = None,
    *,
    metrics: MetricTable = METRICS,
    neighbours: int = NEIGHBOURS,
    reranked: bool = False,
    episodes: Episodes | None = None,
    thresholds: Mapping[str, float] | None = None,
    images: ImageTable | None = None,
    run: RunFolder | None = None,
    progress: Progress = lambda stage, queries: None,
) -> TableEvaluation:
    """Evaluate tables; classes and groups of two tables are matched by name.

    Episodes are drawn from all images with a label, whatever their roles.

    Args:
        about, run: as in `TableEvaluation`.
        gallery: without it the images of `queries` are the gallery too.
        images: of all queries, in the same order.
        metrics, neighbours, reranked, progress: as in `evaluate`.
        thresholds: by name, chosen on other images, to state their errors.

    Raises:
        RequestError: a table has no labels, or see `examples_of`, `evaluate` and
            `evaluate_episodes`.
    """
    tables, names = with_common_labels([queries] if gallery is None else [queries, gallery])
    origins = _origins(about)
    for table, origin in zip(tables, origins, strict=False):
        if (table.labels < 0).all():
            raise RequestError(f"{origin}: no image has a label, so there is nothing to evaluate")
    try:
        # First, because it takes seconds and refuses too few classes.
        drawn = None if episodes is None else _evaluate_episodes(tables[0], episodes)
        result = evaluate(
            *examples_of(tables),
            metrics=metrics,
            neighbours=neighbours,
            reranked=reranked,
            progress=progress,
        )
        errors = errors_of(thresholds or {}, result.pairs)
    except RequestError as error:
        raise RequestError(f"{' and '.join(origins)}: {error}") from error
    return TableEvaluation(
        about,
        tables[0],
        tables[1] if gallery else None,
        names | {-1: "(no label)"},
        result,
        drawn,
        errors,
        images,
        run,
    )


def _evaluate_episodes(table: EmbeddingTable, episodes: Episodes) -> EpisodeResult:
    labelled = table.labels >= 0
    return evaluate_episodes(table.embeddings[labelled], table.labels[labelled], episodes)


def _origins(about: dict[str, str]) -> list[str]:
    """Origin of the queries, and of the gallery if there is one, for a message."""
    if "queries_file" in about:
        return [about[key] for key in ("queries_file", "gallery_file") if key in about]
    return [" ".join(about[key] for key in ("dataset", "split") if key in about)]
