"""triplet-eval: what embeddings are worth."""

from pathlib import Path
from typing import Annotated

import typer

from triplet_train.cli.command import Version, import_with_tensorflow, launch, say, source_options
from triplet_train.console import Console
from triplet_train.registry import FILES, either


def evaluate(
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="Judge the embeddings that this run, checkpoint or .keras file gives."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="With --checkpoint: the split to judge.  "
            "[default: the first that the run exports, or test]"
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(help="With --checkpoint: TFDS name.  [default: that of the run]"),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="With --checkpoint: TFDS folder.  [default: that of the run]"),
    ] = None,
    image_key: Annotated[
        str | None, typer.Option(help="With --checkpoint: the image among the set's features.")
    ] = None,
    label_key: Annotated[
        str | None, typer.Option(help="With --checkpoint: the label among the set's features.")
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            help="With --checkpoint: such as 5-9, or cat,dog, or all.  "
            "[default: those that the run judges]"
        ),
    ] = None,
    any_model: Annotated[
        bool,
        typer.Option(
            "--any-model",
            help="With --checkpoint: take probabilities of classes for embeddings, too.",
        ),
    ] = False,
    queries: Annotated[
        Path | None, typer.Option(help=f"An embedding file ({either(FILES)}) instead.")
    ] = None,
    gallery: Annotated[
        Path | None,
        typer.Option(help="The file to search.  [default: the queries, each against the others]"),
    ] = None,
    episodes: Annotated[
        int | None,
        typer.Option(
            min=2,
            max=1_000_000,
            help="Classify queries by a few examples of their classes too, in so many random "
            "episodes of N ways and K shots.",
        ),
    ] = None,
    ways: Annotated[
        int | None,
        typer.Option(min=2, help="With --episodes: N, classes in an episode.  [default: 5]"),
    ] = None,
    shots: Annotated[
        int | None,
        typer.Option(min=1, help="With --episodes: K, examples of each class.  [default: 1]"),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="With --episodes: decides the draws.  [default: 0]")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write all but the text to this file.")] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Write a page of pictures: FILE.html, and its plots beside it."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace these files.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
    version: Version = False,
) -> None:
    """Judge embeddings: retrieval, verification thresholds, classes and confusions.

    \b
    Examples:
      triplet-eval --checkpoint runs/mnist_hard
      triplet-eval --checkpoint runs/mnist_hard --split "train[:5000]" --report train.html
      triplet-eval --checkpoint runs/mnist_hard --episodes 1000 --ways 5 --shots 1
      triplet-eval --queries test.parquet --gallery train.parquet --json figures.json
    """
    from triplet_train.embeddings.output import format_of, refuse_output
    from triplet_train.errors import RequestError
    from triplet_train.evaluation.episodes import Episodes
    from triplet_train.files import write_json
    from triplet_train.jobs.evaluate_files import judge_files
    from triplet_train.jobs.judged import as_json, as_text
    from triplet_train.report import plots_folder, refuse_plots

    if (checkpoint is None) == (queries is None):
        raise RequestError("give either --checkpoint or --queries")
    if gallery is not None and queries is None:
        raise RequestError("--gallery goes with --queries")
    source = source_options(dataset, data_dir, image_key, label_key, classes)
    if queries is not None and (split or any_model or any(source.values())):
        raise RequestError("--split, --dataset and the like go with --checkpoint, not --queries")
    given = {"ways": ways, "shots": shots, "seed": seed}
    draws = {name: value for name, value in given.items() if value is not None}
    if episodes is None and draws:
        raise RequestError("--ways, --shots and --seed go with --episodes")
    if episodes is not None and gallery is not None:
        raise RequestError(
            "--episodes draws examples and queries from the same rows; leave out --gallery"
        )
    asked = None if episodes is None else Episodes(episodes, **draws)
    if json is not None:
        if format_of(json):
            raise RequestError(f"--json {json}: ends like an embedding file")
        refuse_output(json, folder=False, overwrite=overwrite)
    if report is not None:
        if report.suffix != ".html":
            raise RequestError(f"--report {report}: a page's name ends in .html")
        if report == json:
            raise RequestError(f"--json and --report both name {report}")
        refuse_output(report, folder=False, overwrite=overwrite)
        refuse_plots(plots_folder(report), overwrite=overwrite)
    if queries is not None:
        judged = judge_files(queries, gallery, Console(quiet), episodes=asked)
    else:
        job = import_with_tensorflow("triplet_train.jobs.evaluate_checkpoint")
        judged = job.judge_checkpoint(
            checkpoint,
            Console(quiet),
            split=split,
            any_model=any_model,
            episodes=asked,
            **source,
        )
    if json is not None:
        write_json(json, as_json(judged))
    say(f"{as_text(judged)}\n")
    if report is not None:
        from triplet_train.jobs.report import write_page

        write_page(judged, report, title=report.stem)
        say(f"\n{report}\n")


def main() -> None:
    launch(evaluate)
