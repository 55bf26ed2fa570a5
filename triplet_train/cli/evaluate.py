"""triplet-eval: what embeddings are worth."""

from pathlib import Path
from typing import Annotated

import typer

from triplet_train.cli.command import import_with_tensorflow, launch, source_options


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
    queries: Annotated[
        Path | None, typer.Option(help="An embedding file (.parquet, .npz or .h5) instead.")
    ] = None,
    gallery: Annotated[
        Path | None,
        typer.Option(help="The file to search.  [default: the queries, each against the others]"),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write all but the text to this file.")] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Write a page of pictures: FILE.html, and its plots beside it."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace these files.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Judge embeddings: retrieval, verification thresholds, classes and confusions.

    Examples: triplet-eval --checkpoint runs/mnist_semihard;
    triplet-eval --queries test.parquet --gallery train.parquet --json figures.json
    """
    from triplet_train.embeddings.formats import refuse_output
    from triplet_train.errors import RequestError
    from triplet_train.files import write_json
    from triplet_train.report import plots_folder

    if (checkpoint is None) == (queries is None):
        raise RequestError("give either --checkpoint or --queries")
    if gallery is not None and queries is None:
        raise RequestError("--gallery goes with --queries")
    source = source_options(dataset, data_dir, image_key, label_key)
    if queries is not None and (split or any(source.values())):
        raise RequestError("--split, --dataset and the like go with --checkpoint, not --queries")
    if json is not None:
        refuse_output(json, folder=False, overwrite=overwrite)
    if report is not None:
        if report.suffix != ".html":
            raise RequestError(f"--report {report}: a page's name ends in .html")
        refuse_output(report, folder=False, overwrite=overwrite)
        if plots_folder(report).exists() and not overwrite:
            raise RequestError(f"{plots_folder(report)} exists; give --overwrite to replace it")
    job = import_with_tensorflow("triplet_train.jobs.evaluate")
    if checkpoint is not None:
        judged = job.judge_checkpoint(checkpoint, split=split, quiet=quiet, **source)
    else:
        judged = job.judge_files(queries, gallery, quiet=quiet)
    if json is not None:
        write_json(json, job.as_json(judged))
    typer.echo(job.as_text(judged))
    if report is not None:
        page = import_with_tensorflow("triplet_train.jobs.report")
        page.write_page(judged, report, title=report.stem)
        typer.echo(f"\n{report}")


def main() -> None:
    launch(evaluate)
