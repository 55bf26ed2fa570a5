"""Evaluation of vectors by all that a request asks for, wherever the vectors come from."""

from collections.abc import Sequence

from triplet_train.console import Console
from triplet_train.data.images import ImageTable
from triplet_train.embeddings.table import EmbeddingTable
from triplet_train.evaluation import MetricTable
from triplet_train.evaluation.pair_tables import PairTableEvaluation
from triplet_train.evaluation.tables import TableEvaluation, evaluate_tables
from triplet_train.jobs.evaluate.against import Opponents, compared
from triplet_train.jobs.evaluate.given_thresholds import given_thresholds
from triplet_train.jobs.evaluate.listed_pairs import verify
from triplet_train.jobs.evaluate.request import EvaluationRequest
from triplet_train.run.folder import RunFolder


def measure(
    request: EvaluationRequest,
    about: dict[str, str],
    tables: Sequence[EmbeddingTable],
    metrics: MetricTable,
    console: Console,
    *,
    opponents: Opponents | None = None,
    images: ImageTable | None = None,
    run: RunFolder | None = None,
) -> TableEvaluation | PairTableEvaluation:
    """Evaluate queries and gallery, or with --pairs verify the listed pairs.

    Args:
        about, images, run: as in `evaluate_tables`.
        tables: the queries, and the gallery if it is another.
        opponents: towers to compare with.

    Raises:
        RequestError: see `given_thresholds`, `verify`, `evaluate_tables` and `compared`.
    """
    thresholds = given_thresholds(request, about, tables[0], metrics, console)
    if request.pairs is not None:
        return verify(request, about, tables, metrics, thresholds, console)
    with console.bar(len(tables[0].ids), "evaluating") as bar:
        evaluated = evaluate_tables(
            about,
            *tables,
            metrics=metrics,
            neighbours=request.most_neighbours,
            reranked=request.rerank,
            episodes=request.drawn,
            thresholds=thresholds,
            images=images,
            run=run,
            progress=bar.advance,
        )
    return compared(evaluated, opponents, console) if opponents else evaluated
