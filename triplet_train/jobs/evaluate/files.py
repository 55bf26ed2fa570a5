"""triplet-eval --queries: evaluation of embedding files, without TensorFlow."""

from typing import Any

from triplet_train.console import Console
from triplet_train.embeddings.files import read_table
from triplet_train.embeddings.table import EmbeddingTable
from triplet_train.evaluation.pair_tables import PairTableEvaluation
from triplet_train.evaluation.tables import TableEvaluation
from triplet_train.jobs.evaluate.against import file_to_compare, opponents
from triplet_train.jobs.evaluate.measure import measure
from triplet_train.jobs.evaluate.request import EvaluationRequest
from triplet_train.jobs.evaluate.two_files import require_one_tower, require_searchable


def evaluate_files(
    request: EvaluationRequest, console: Console
) -> TableEvaluation | PairTableEvaluation:
    """Search the gallery for each query; without one, or with the same file, the other queries.

    With --pairs, verify the listed pairs instead.

    Raises:
        RequestError: a file cannot be read; two files come from different towers, share images or
            have no class in common; or see `opponents` and `measure`.
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
        (require_one_tower if request.pairs else require_searchable)(tables)
    metrics = request.metrics(_evaluation_of_run(tables[queries]))
    others = [file_to_compare(file) for file in request.compared]
    towers = opponents(str(queries), tables[queries], others) if others else None
    return measure(request, about, [*tables.values()], metrics, console, opponents=towers)


def _evaluation_of_run(table: EmbeddingTable) -> dict[str, Any]:
    """The section `evaluation` of the run that the vectors come from; empty if it is unknown."""
    config = table.metadata.get("config")
    section = config.get("evaluation") if isinstance(config, dict) else None
    return section if isinstance(section, dict) else {}
