"""triplet-eval: evaluation of embeddings."""

from pathlib import Path
from typing import Annotated

import typer

from triplet_train.cli.command import Quiet, Version, import_with_tensorflow, launch, say
from triplet_train.console import Console
from triplet_train.registry import FILES, either

# Groups of options in the help.
_EVALUATED = "What to evaluate"
_WITH_CHECKPOINT = "Images for --checkpoint"
_MEASURED = "What to compute"
_WRITTEN = "Files to write"


def evaluate(
    more: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="RUN_OR_FILE",
            help="With --against: more to compare, in any order, as a pattern of the shell gives.",
        ),
    ] = None,
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="RUN",
            help="A run, checkpoint, .keras file or export, and its images.",
            rich_help_panel=_EVALUATED,
        ),
    ] = None,
    queries: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help=f"Or an embedding file ({either(FILES)}).",
            rich_help_panel=_EVALUATED,
        ),
    ] = None,
    gallery: Annotated[
        Path | None,
        typer.Option(
            help="With --queries: the file to search.  [default: each query searches the others]",
            rich_help_panel=_EVALUATED,
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="The split.  [default: the first that the run exports, or test]",
            rich_help_panel=_WITH_CHECKPOINT,
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            help="TFDS name.  [default: that of the run]", rich_help_panel=_WITH_CHECKPOINT
        ),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="TFDS folder.  [default: that of the run]", rich_help_panel=_WITH_CHECKPOINT
        ),
    ] = None,
    image_key: Annotated[
        str | None,
        typer.Option(help="The feature that is the image.", rich_help_panel=_WITH_CHECKPOINT),
    ] = None,
    label_key: Annotated[
        str | None,
        typer.Option(help="The feature that is the label.", rich_help_panel=_WITH_CHECKPOINT),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            help="The classes, such as 5-9, or cat,dog, or 20%, or all.  "
            "[default: those that the run evaluates]",
            rich_help_panel=_WITH_CHECKPOINT,
        ),
    ] = None,
    any_model: Annotated[
        bool,
        typer.Option(
            "--any-model",
            help="Accept probabilities of classes as embeddings.",
            rich_help_panel=_WITH_CHECKPOINT,
        ),
    ] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Override evaluation.recall_at, .precision_at, .false_accept_rates or .nmi of the "
            "run, as in evaluation.recall_at=[1,10,100]. Repeatable.",
            rich_help_panel=_MEASURED,
        ),
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(
            help="Verify the pairs of this table (.csv, .tsv, .jsonl or .parquet) instead: columns "
            "id_a, id_b, same (1 or 0) and perhaps fold. Each fold is tested with the threshold of "
            "the others.",
            rich_help_panel=_MEASURED,
        ),
    ] = None,
    thresholds_from: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also state the errors of thresholds that were chosen on other images: an "
            "embedding file, or the --json of their evaluation.",
            rich_help_panel=_MEASURED,
        ),
    ] = None,
    rerank: Annotated[
        bool,
        typer.Option(
            "--rerank",
            help="Also give the metrics after re-ranking by k-reciprocal neighbours, which takes "
            "several times as long.",
            rich_help_panel=_MEASURED,
        ),
    ] = False,
    against: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="RUN_OR_FILE...",
            help="Also compare with these runs or files, on the same images, paired by query. "
            "Runs that differ in the seed only are one side. Repeatable.",
            rich_help_panel=_MEASURED,
        ),
    ] = None,
    episodes: Annotated[
        int | None,
        typer.Option(
            min=2,
            max=1_000_000,
            help="Also classify queries by a few examples of each class, in this number of random "
            "episodes of N ways and K shots.",
            rich_help_panel=_MEASURED,
        ),
    ] = None,
    ways: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="With --episodes: N, classes in an episode.  [default: 5]",
            rich_help_panel=_MEASURED,
        ),
    ] = None,
    shots: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="With --episodes: K, examples of each class.  [default: 1]",
            rich_help_panel=_MEASURED,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="With --episodes: the seed of the draws.  [default: 0]",
            rich_help_panel=_MEASURED,
        ),
    ] = None,
    json: Annotated[
        Path | None, typer.Option(help="Write all results to this file.", rich_help_panel=_WRITTEN)
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Write a page of plots: FILE.html, with a folder of PNG files beside it.",
            rich_help_panel=_WRITTEN,
        ),
    ] = None,
    neighbours: Annotated[
        Path | None,
        typer.Option(
            help=f"Write the nearest images of each query to this file ({either(FILES)}); "
            "with --rerank those of the re-ranked list.",
            rich_help_panel=_WRITTEN,
        ),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=10_000,
            help="With --neighbours: images for each query.  [default: 10]",
            rich_help_panel=_WRITTEN,
        ),
    ] = None,
    per_query: Annotated[
        Path | None,
        typer.Option(
            help=f"Write the metrics of each query to this file ({either(FILES)}).",
            rich_help_panel=_WRITTEN,
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace these files.", rich_help_panel=_WRITTEN)
    ] = False,
    quiet: Quiet = False,
    version: Version = False,
) -> None:
    """Evaluate embeddings: retrieval, verification thresholds, classes and confusions.

    \b
    Examples:
      triplet-eval --checkpoint runs/mnist_hard --episodes 1000 --ways 5 --shots 1
      triplet-eval --checkpoint runs/semi_* --against runs/naive_*
      triplet-eval --queries test.parquet --gallery train.parquet --json metrics.json
      triplet-eval --queries faces.parquet --pairs pairs.csv --report faces.html
    """
    from triplet_train.jobs.evaluate.answer import answer
    from triplet_train.jobs.evaluate.files import evaluate_files
    from triplet_train.jobs.evaluate.request import EvaluationRequest

    request = EvaluationRequest(
        checkpoint=checkpoint[0] if checkpoint else None,
        split=split,
        dataset=dataset,
        data_dir=data_dir,
        image_key=image_key,
        label_key=label_key,
        classes=classes,
        any_model=any_model,
        queries=queries[0] if queries else None,
        gallery=gallery,
        pairs=pairs,
        thresholds_from=thresholds_from,
        against=against or (),
        more=[*(checkpoint or ())[1:], *(queries or ())[1:], *(more or ())],
        episodes=episodes,
        ways=ways,
        shots=shots,
        seed=seed,
        rerank=rerank,
        neighbours=neighbours,
        top=top,
        per_query=per_query,
        json=json,
        report=report,
        overwrite=overwrite,
        set_=set_ or (),
    )
    if queries is not None:
        evaluated = evaluate_files(request, Console(quiet))
    else:
        job = import_with_tensorflow("triplet_train.jobs.evaluate.checkpoint")
        evaluated = job.evaluate_checkpoint(request, Console(quiet))
    for text in answer(request, evaluated):
        say(text)


def main() -> None:
    launch(evaluate)
