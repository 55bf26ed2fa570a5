"""triplet-eval --pairs: verification of listed pairs."""

from collections.abc import Mapping, Sequence

from triplet_train.console import Console
from triplet_train.embeddings.table import EmbeddingTable
from triplet_train.evaluation import MetricTable
from triplet_train.evaluation.pair_tables import PairTableEvaluation, evaluate_listed_pairs
from triplet_train.jobs.evaluate.request import EvaluationRequest


def verify(
    request: EvaluationRequest,
    about: dict[str, str],
    tables: Sequence[EmbeddingTable],
    metrics: MetricTable,
    thresholds: Mapping[str, float],
    console: Console,
) -> PairTableEvaluation:
    """Verify the pairs of the request.

    Args:
        tables: with the first and the second images of the pairs; or one with both.
        thresholds: as in `evaluate_listed_pairs`.
        console: takes warnings about the list.

    Raises:
        RequestError: see `evaluate_listed_pairs`.
    """
    listed = request.listed_pairs
    assert listed is not None
    about = about | {"pairs_file": str(request.pairs)}
    evaluated = evaluate_listed_pairs(
        about, listed, *tables, metrics=metrics, thresholds=thresholds
    )
    if evaluated.repeated_pairs:
        console.warn(
            f"{listed.file}: {evaluated.repeated_pairs:,} rows repeat a pair; it counts each time"
        )
    if evaluated.pairs_against_labels:
        console.warn(
            f"{listed.file}: {evaluated.pairs_against_labels:,} pairs contradict the labels of "
            f"their images; column {listed.kind_column!r} counts"
        )
    return evaluated
