"""triplet-embed: from a checkpoint and a split to an embedding file."""

from pathlib import Path
from typing import Annotated

import typer

from triplet_train.cli.command import import_with_tensorflow, launch


def embed(
    checkpoint: Annotated[
        Path,
        typer.Option(
            help="A run folder (its best checkpoint), a checkpoint inside one, or a .keras file."
        ),
    ],
    output: Annotated[Path, typer.Option(help="The file to write (projector: a folder).")],
    split: Annotated[
        str | None,
        typer.Option(
            help="Such as test or train[:10%].  [default: the first that the run exports, or test]"
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(help="TFDS name.  [default: the data set that the run was trained on]"),
    ] = None,
    image_key: Annotated[
        str | None,
        typer.Option(
            help="The image among the set's features.  [default: as in the run, or image]"
        ),
    ] = None,
    label_key: Annotated[
        str | None,
        typer.Option(
            help="The label among the set's features.  [default: as in the run, or label]"
        ),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(help="parquet, npz or projector.  [default: told by the name of the output]"),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Images embedded at a time.")] = 512,
    data_dir: Annotated[
        Path | None, typer.Option(help="TFDS folder.  [default: that of the run]")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the output.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Write the embeddings of a split, with ids, labels and where they come from.

    Example: triplet-embed --checkpoint runs/mnist_semihard --output test.parquet
    """
    from triplet_train.embeddings.formats import refuse_output, resolve_format

    chosen = resolve_format(output, format)
    refuse_output(output, folder=chosen == "projector", overwrite=overwrite)
    job = import_with_tensorflow("triplet_train.jobs.embed")
    rows, width = job.embed(
        checkpoint,
        output,
        chosen,
        split=split,
        batch_size=batch_size,
        quiet=quiet,
        dataset=dataset,
        data_dir=None if data_dir is None else str(data_dir),
        image_key=image_key,
        label_key=label_key,
    )
    typer.echo(f"{output}: {rows:,} vectors of {width} dimensions")


def main() -> None:
    launch(embed)
