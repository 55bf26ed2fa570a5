"""Answer of triplet-eval: a JSON file, a text and a page."""

from collections.abc import Iterator
from typing import Any

from triplet_train.evaluation.as_json import as_json, pairs_as_json
from triplet_train.evaluation.pair_list_text import pairs_as_text
from triplet_train.evaluation.pair_tables import PairTableEvaluation
from triplet_train.evaluation.tables import TableEvaluation
from triplet_train.evaluation.text import as_text
from triplet_train.files import write_json
from triplet_train.jobs.evaluate.request import EvaluationRequest


def content(evaluated: TableEvaluation | PairTableEvaluation) -> dict[str, Any]:
    """Return the content of --json."""
    if isinstance(evaluated, PairTableEvaluation):
        return pairs_as_json(evaluated)
    return as_json(evaluated)


def answer(
    request: EvaluationRequest, evaluated: TableEvaluation | PairTableEvaluation
) -> Iterator[str]:
    """Write the requested files, and yield the text for the user as soon as it is known.

    Raises:
        OSError, RunError: see `write_page`.
    """
    if request.json is not None:
        write_json(request.json, content(evaluated))
    if isinstance(evaluated, PairTableEvaluation):
        yield f"{pairs_as_text(evaluated)}\n"
    else:
        _write_queries(request, evaluated)
        yield f"{as_text(evaluated)}\n"
    if request.report is not None:
        from triplet_train.jobs.report import write_page  # half a second to import

        write_page(evaluated, request.report, title=request.report.stem)
        yield f"\n{request.report}\n"


def _write_queries(request: EvaluationRequest, evaluated: TableEvaluation) -> None:
    if request.neighbours is None and request.per_query is None:
        return
    from triplet_train.evaluation.query_files import write_neighbours, write_per_query

    if request.neighbours is not None:
        write_neighbours(evaluated, request.neighbours, request.most_neighbours)
    if request.per_query is not None:
        write_per_query(evaluated, request.per_query)
