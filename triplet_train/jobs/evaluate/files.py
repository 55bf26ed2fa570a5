"""triplet-eval --queries: evaluation of embedding files, without TensorFlow."""

from typing import Any

from triplet_train.console import Console
from triplet_train.embeddings.files import read_table
from triplet_train.embeddings.table import EmbeddingTable
from triplet_train.evaluation.pair_tables import PairTableEvaluation
from triplet_train.evaluation.tables import TableEvaluation, evaluate_tables
from triplet_train.jobs.evaluate.against import compared, file_to_compare, opponents
from triplet_train.jobs.evaluate.comparable import require_comparable, require_one_tower
from triplet_train.jobs.evaluate.given_thresholds import given_thresholds
from triplet_train.jobs.evaluate.listed_pairs import verify
from triplet_train.jobs.evaluate.request import EvaluationRequest


def evaluate_files(
    request: EvaluationRequest, console: Console
) -> TableEvaluation | PairTableEvaluation:
    """Search the gallery for each query; without one, or with the same file, the other queries.

    With --pairs, verify the listed pairs instead.

    Raises:
        RequestError: a file cannot be read; two files come from different towers, share images or
            have no class in common; or see `evaluate_tables`, `given_thresholds` and `verify`.
    """
    assert request.queries is not None
    queries, gallery = request.queries, request.gallery
    if gallery is not None and gallery.resolve() == queries.resolve():
        gallery = None
    about = {"queries_file": str(queries)}
    tables = {queries: read_table(queries)}
    if gallery is not None:
        about["gallery_file"] = str(gallery)
        tables[gallery] = read_table(gallery)
        (require_one_tower if request.pairs else require_comparable)(tables)
    metrics = request.metrics(_evaluation_of_run(tables[queries]))
    others = [file_to_compare(file) for file in request.compared]
    towers = opponents(str(queries), tables[queries], others) if others else None
    thresholds = given_thresholds(request, about, tables[queries], metrics, console)
    if request.pairs is not None:
        return verify(request, about, [*tables.values()], metrics, thresholds, console)
    with console.bar(len(tables[queries].ids), "evaluating") as bar:
        evaluated = evaluate_tables(
            about,
            *tables.values(),
            metrics=metrics,
            neighbours=request.most_neighbours,
            reranked=request.rerank,
            episodes=request.drawn,
            thresholds=thresholds,
            progress=bar.advance,
        )
    return compared(evaluated, towers, console) if towers else evaluated


def _evaluation_of_run(table: EmbeddingTable) -> dict[str, Any]:
    """The section `evaluation` of the run that the vectors come from; empty if it is unknown."""
    config = table.metadata.get("config")
    section = config.get("evaluation") if isinstance(config, dict) else None
    return section if isinstance(section, dict) else {}
