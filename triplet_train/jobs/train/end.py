"""The end of a run: embeddings, metrics and page of its best tower."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from triplet_train.config import Config
from triplet_train.console import Console
from triplet_train.data.images import ImageTable
from triplet_train.embeddings.files import list_exports
from triplet_train.embeddings.table import concatenated
from triplet_train.evaluation import examples_of, make_protocol
from triplet_train.evaluation.as_json import metrics_as_json
from triplet_train.evaluation.metrics import Source
from triplet_train.evaluation.tables import TableEvaluation, evaluate_tables
from triplet_train.files import read_text, write_json
from triplet_train.jobs.asked_metrics import asked_metrics
from triplet_train.jobs.open_tower import OpenTower
from triplet_train.models.embedder import load_embedder
from triplet_train.run.folder import RunFolder
from triplet_train.run.request import TrainRequest
from triplet_train.training.state import TrainingState


def is_finished(request: TrainRequest) -> bool:
    """Return True if all outputs of the configuration exist."""
    run, config = request.run, request.config
    if not run.metrics.is_file():
        return False
    try:
        final = json.loads(read_text(run.metrics))
        return (
            (final["steps"] == config.train.steps or _out_of_patience(final, config))
            and _has_metrics(final, config)
            and final["splits"].keys() >= set(config.export_splits)
            and final["split"] == config.export_splits[0]
            and all(path.exists() for path in embedding_files(request))
            and ((run.report.is_file() and run.plots.is_dir()) or "recall_at_1" not in final)
        )
    except (ValueError, LookupError, TypeError, AttributeError):  # damaged: written again
        return False


def _out_of_patience(final: dict[str, Any], config: Config) -> bool:
    early, patience = final.get("ended_early"), config.train.patience
    return bool(early and patience and early["evaluations_without_improvement"] >= patience)


def _has_metrics(final: dict[str, Any], config: Config) -> bool:
    """Return True if the metrics that depend on the configuration are there, or none can be."""
    there = {Source.RANKING: "recall_at_1" in final, Source.PAIRS: "eer" in final}
    asked = asked_metrics(config.evaluation)
    return all(metric.name in final for metric in asked if there.get(metric.source))


def embedding_files(request: TrainRequest) -> list[Path]:
    """Return all files, or folders, to which the run exports."""
    return [
        request.run.embedding_file(split, format)
        for split in request.config.export_splits
        for format in request.config.embeddings.formats
    ]


def export_and_evaluate(
    request: TrainRequest, exported: list[ImageTable], state: TrainingState, console: Console
) -> dict[str, dict[str, Any]]:
    """Export the splits with the best tower, evaluate them, and draw the first.

    The run goes on if lines can no longer be written.

    Args:
        state: after the last step.

    Returns:
        Metrics by split; none for a split in which no query has an image to find.
    """
    run, config = request.run, request.config
    best = OpenTower(run.embedder, load_embedder(run.embedder), run, config)
    console = console.lenient()
    run.embeddings.mkdir(exist_ok=True)
    first = config.export_splits[0]
    metrics: dict[str, dict[str, Any]] = {}
    shown = None
    for table in exported:
        evaluated = _export(best, request, table, state, console)
        if table.split == first:
            shown = evaluated
        metrics[table.split] = metrics_as_json(evaluated.result) if evaluated else {}
        for note in evaluated.result.notes if evaluated else ():
            console.say(f"{table.split}: {note}")
    for format in config.embeddings.formats:
        list_exports(run.embedding_file(first, format).parent, format)
    # The page of an earlier, shorter run must not stay if drawing is interrupted.
    run.report.unlink(missing_ok=True)
    final: dict[str, Any] = {"step": state.best_step, "steps": state.step, "split": first}
    if state.step < config.train.steps:
        final["ended_early"] = {
            "best_metric": config.evaluation.best_metric,
            "evaluations_without_improvement": state.waited,
        }
    write_json(run.metrics, {**final, **metrics[first], "splits": metrics})
    if shown:
        console.say(f"metrics are in {run.metrics.name}; drawing {run.report.name}")
        _draw(shown, run)
    return metrics


def _export(
    best: OpenTower,
    request: TrainRequest,
    images: ImageTable,
    state: TrainingState,
    console: Console,
) -> TableEvaluation | None:
    """Write the embeddings of a split, and evaluate them; None if no query has an image to find.

    All vectors are in memory, but only a batch of images.
    """
    run, config = request.run, request.config
    files = {run.embedding_file(images.split, each): each for each in config.embeddings.formats}
    tables = []
    with best.writing(files, images) as append:
        for rows in best.tables(images, console):
            append(rows)
            tables.append(replace(rows, images=None))
    table = concatenated(tables)
    if make_protocol(*examples_of([table])).obstacle:
        return None
    about = {"dataset": images.name, "split": images.split, "best step": f"{state.best_step:,}"}
    if state.step < config.train.steps:
        about["ended early"] = f"at step {state.step:,} of {config.train.steps:,}"
    if images.classes:
        about["classes"] = images.classes
    with console.bar(len(images), "evaluating") as bar:
        return evaluate_tables(
            about,
            table,
            metrics=asked_metrics(config.evaluation),
            images=images,
            run=run,
            progress=bar.advance,
        )


def _draw(evaluated: TableEvaluation, run: RunFolder) -> None:
    from triplet_train.jobs.report import write_page  # half a second to import

    title = f"{run.path.resolve().name}: {evaluated.about['split']}"
    write_page(evaluated, run.report, title)
