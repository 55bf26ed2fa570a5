"""triplet-embed: write the embeddings of images to a file."""

from pathlib import Path
from typing import Annotated

import typer

from triplet_train.cli.command import Quiet, Version, import_with_tensorflow, launch, say
from triplet_train.console import Console
from triplet_train.errors import RequestError
from triplet_train.registry import FOLDERS, FORMATS, either


def embed(
    context: typer.Context,
    *,
    files: Annotated[
        list[Path] | None, typer.Argument(help="With --merge, the embedding files to join.")
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="A run folder (its best checkpoint), a checkpoint inside one, a .keras file, or "
            "an export.  [required without --merge]"
        ),
    ] = None,
    output: Annotated[
        Path,
        typer.Option(help=f"The file to write; with --shard or {either(FOLDERS)}, a folder."),
    ],
    split: Annotated[
        str | None,
        typer.Option(
            help="Such as test or train[:10%].  [default: the first that the run exports, or test]"
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            help="Embed the images in this folder and below it, or those that a table names (.csv, "
            ".tsv, .jsonl or .parquet), instead of a split."
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(help="TFDS name.  [default: the data set that the run was trained on]"),
    ] = None,
    image_key: Annotated[
        str | None,
        typer.Option(help="The feature with the image.  [default: as in the run, or image]"),
    ] = None,
    label_key: Annotated[
        str | None,
        typer.Option(help="The feature with the label.  [default: as in the run, or label]"),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            help="Such as 5-9, or cat,dog, or 20%, or all.  [default: those that the run evaluates]"
        ),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(help=f"{either(FORMATS)}.  [default: by the name of the output]"),
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(
            help="float32, or in Parquet float16 or int8, for half or a quarter of the size.  "
            "[default: float32; with --merge that of the first file]"
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Images embedded at a time.  [default: 512, or more small ones on a GPU; at most "
            "train.microbatch of the run]",
        ),
    ] = None,
    flip: Annotated[
        bool,
        typer.Option(
            "--flip",
            help="Average the vectors of each image and its mirror image, in twice the time. "
            "Queries and gallery must be embedded alike.",
        ),
    ] = False,
    shard: Annotated[
        str | None,
        typer.Option(
            help="I/N: only part I of N equal parts, from 1/N to N/N; the output is then a folder "
            "with a file for each part."
        ),
    ] = None,
    content: Annotated[
        bool,
        typer.Option(
            "--content",
            help="With --images: add a column with a digest of each file, for --skip.",
        ),
    ] = False,
    skip: Annotated[
        Path | None,
        typer.Option(
            help="With --images: leave out the images that this embedding file has, by id, class "
            "and content. Adds the digests, too."
        ),
    ] = None,
    merge: Annotated[
        bool,
        typer.Option(
            "--merge",
            help="Join embedding files of one checkpoint. The output may be one of them.",
        ),
    ] = False,
    engine: Annotated[
        str,
        typer.Option(
            help="local, or ray: a shard for each CPU of a Ray cluster (pip install "
            "'triplet-train[ray]'); the output is then a folder."
        ),
    ] = "local",
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at the first image that cannot be read.")
    ] = False,
    any_model: Annotated[
        bool,
        typer.Option("--any-model", help="Accept a network that gives probabilities of classes."),
    ] = False,
    data_dir: Annotated[
        Path | None, typer.Option(help="TFDS folder.  [default: that of the run]")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the output.")] = False,
    quiet: Quiet = False,
    version: Version = False,
) -> None:
    """Write the embeddings of a split, a folder or a table, with ids, labels and their origin.

    \b
    Examples:
      triplet-embed --checkpoint runs/mnist_hard --output test.parquet
      triplet-embed --checkpoint runs/mnist_hard --split "train[:1000]" --output some.npz
      triplet-embed --checkpoint runs/mnist_hard --images photos --output photos.h5
      triplet-embed --checkpoint runs/mnist_hard --format projector --output map
      triplet-embed --checkpoint runs/mnist_hard --images photos --skip old.npz --output new.npz
      triplet-embed --merge old.npz new.npz --output old.npz
    """
    console = Console(quiet)
    if merge:
        _refuse_others(context, "files", "merge", "output", "dtype", "overwrite", "quiet")
        from triplet_train.jobs.embed.merge import MergeRequest
        from triplet_train.jobs.embed.merge import merge as join

        joined = MergeRequest(files=files or (), output=output, dtype=dtype, overwrite=overwrite)
        _say_written(output, *join(joined, console))
        return
    if files:
        raise RequestError(f"{files[0]}: only --merge takes files; give images with --images")
    if checkpoint is None:
        raise RequestError("give --checkpoint, the tower to embed with; or --merge, to join files")
    from triplet_train.jobs.embed.request import EmbedRequest

    request = EmbedRequest(
        checkpoint=checkpoint,
        output=output,
        split=split,
        images=images,
        dataset=dataset,
        image_key=image_key,
        label_key=label_key,
        classes=classes,
        format=format,
        dtype=dtype or "float32",
        batch_size=batch_size,
        flip=flip,
        shard=shard,
        engine=engine,
        strict=strict,
        any_model=any_model,
        content=content,
        skip=skip,
        data_dir=data_dir,
        overwrite=overwrite,
    )
    job = import_with_tensorflow(f"triplet_train.jobs.embed.{engine}")
    _say_written(request.file, *job.embed(request, console))


def _refuse_others(context: typer.Context, *taken: str) -> None:
    """Raise RequestError for an option that --merge does not take."""
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if name not in taken and source and source.name == "COMMANDLINE":
            raise RequestError(f"--merge joins files as they are; leave out {parameter.opts[0]}")


def _say_written(file: Path, count: int, width: int) -> None:
    say(f"{file}: {count:,} vectors of {width} dimensions\n")


def main() -> None:
    launch(embed)
