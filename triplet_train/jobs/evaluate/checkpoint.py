"""triplet-eval --checkpoint: evaluation of a trained tower."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from triplet_train.console import Console
from triplet_train.data.images import selected
from triplet_train.embeddings.output import format_of
from triplet_train.evaluation.pair_tables import PairTableEvaluation
from triplet_train.evaluation.tables import TableEvaluation
from triplet_train.jobs.evaluate.against import Candidate, file_to_compare, opponents
from triplet_train.jobs.evaluate.measure import measure
from triplet_train.jobs.evaluate.request import EvaluationRequest
from triplet_train.jobs.open_tower import open_tower


def evaluate_checkpoint(
    request: EvaluationRequest, console: Console
) -> TableEvaluation | PairTableEvaluation:
    """Evaluate the embeddings of a split, each against all others.

    With --pairs, verify the listed pairs instead; only their images are embedded.

    Raises:
        RequestError, RunError: see `OpenTower`, `opponents` and `measure`.
    """
    assert request.checkpoint is not None
    opened = open_tower(request.checkpoint, any_model=request.any_model)
    source, images = opened.split(request, console)
    if not console.quiet:
        for note in (*images.notes, *source.in_two_classes([images.split])):
            console.say(note)
    about = {"checkpoint": str(opened.file), "dataset": images.name, "split": images.split}
    if images.classes:
        about["classes"] = images.classes
    metrics = request.metrics(opened.config.evaluation.model_dump() if opened.config else {})
    if request.listed_pairs is not None:
        listed = request.listed_pairs
        found = [listed.rows_in(side, images.ids, images.split) for side in (0, 1)]
        images = selected(images, np.unique(found))
    others = [_candidate(path, request, images.split, console) for path in request.compared]
    first = str(request.checkpoint)
    towers = opponents(first, opened.rows(images), others) if others else None
    table = opened.table(images, console)
    return measure(
        request, about, [table], metrics, console, opponents=towers, images=images, run=opened.run
    )


def _candidate(path: Path, request: EvaluationRequest, split: str, console: Console) -> Candidate:
    """Open a run or file to compare with; nothing is embedded yet.

    Args:
        split: that of the first run.
    """
    if format_of(path):
        return file_to_compare(path)
    opened = open_tower(path, any_model=request.any_model)
    _, images = opened.split(replace(request, split=split), console)
    return Candidate(
        str(path), opened.rows(images), lambda: opened.table(images, console).embeddings
    )
