"""triplet-eval: what embeddings are worth for retrieval."""

from pathlib import Path
from typing import Annotated

import typer

from triplet_train.cli.command import import_with_tensorflow, launch


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
        Path | None, typer.Option(help="An embedding file (.parquet or .npz) instead.")
    ] = None,
    gallery: Annotated[
        Path | None,
        typer.Option(help="The file to search.  [default: the queries, each against the others]"),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the figures to this file.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace that file.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Judge embeddings by retrieval: recall@k, R-precision, MAP@R and more.

    Examples: triplet-eval --checkpoint runs/mnist_semihard;
    triplet-eval --queries test.parquet --gallery train.parquet --json figures.json
    """
    from triplet_train.embeddings.formats import refuse_output
    from triplet_train.errors import RequestError
    from triplet_train.files import write_json

    if (checkpoint is None) == (queries is None):
        raise RequestError("give either --checkpoint or --queries")
    if gallery is not None and queries is None:
        raise RequestError("--gallery goes with --queries")
    source = {
        "dataset": dataset,
        "data_dir": None if data_dir is None else str(data_dir),
        "image_key": image_key,
        "label_key": label_key,
    }
    if queries is not None and (split or any(source.values())):
        raise RequestError("--split, --dataset and the like go with --checkpoint, not --queries")
    if json is not None:
        refuse_output(json, folder=False, overwrite=overwrite)
    job = import_with_tensorflow("triplet_train.jobs.evaluate")
    if checkpoint is not None:
        answer = job.judge_checkpoint(checkpoint, split=split, quiet=quiet, **source)
    else:
        answer = job.judge_files(queries, gallery)
    if json is not None:
        write_json(json, answer)
    typer.echo(job.as_text(answer))


def main() -> None:
    launch(evaluate)
