"""triplet-eval --checkpoint: evaluation of a trained tower."""

from triplet_train.console import Console
from triplet_train.evaluation.tables import TableEvaluation, evaluate_tables
from triplet_train.jobs.evaluate.request import EvaluationRequest
from triplet_train.jobs.open_tower import open_tower


def evaluate_checkpoint(request: EvaluationRequest, console: Console) -> TableEvaluation:
    """Evaluate the embeddings of a split, each against all others.

    Raises:
        RequestError, RunError: see `OpenTower` and `evaluate_tables`.
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
    table = opened.table(images, console)
    with console.bar(len(images), "evaluating") as bar:
        return evaluate_tables(
            about,
            table,
            metrics=metrics,
            episodes=request.drawn,
            images=images,
            run=opened.run,
            progress=bar.advance,
        )
