"""triplet-embed: from a checkpoint and images to an embedding file."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from triplet_train.cli.command import Version, import_with_tensorflow, launch, say
from triplet_train.console import Console
from triplet_train.registry import FOLDERS, FORMATS, either


def embed(
    checkpoint: Annotated[
        Path,
        typer.Option(
            help="A run folder (its best checkpoint), a checkpoint inside one, or a .keras file."
        ),
    ],
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
        typer.Option(help="Embed the images in this folder and below it, instead of a split."),
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
    classes: Annotated[
        str | None,
        typer.Option(help="Such as 5-9, or cat,dog, or all.  [default: those that the run judges]"),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(help=f"{either(FORMATS)}.  [default: told by the name of the output]"),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Images embedded at a time.  [default: 512, more small ones on a GPU; at most the "
            "run's train.microbatch]",
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            help="I/N: only the I-th of N equal parts, 1/N being the first; "
            "the output is then a folder with a file for each."
        ),
    ] = None,
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
        typer.Option("--any-model", help="Take probabilities of classes for embeddings, too."),
    ] = False,
    data_dir: Annotated[
        Path | None, typer.Option(help="TFDS folder.  [default: that of the run]")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the output.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
    version: Version = False,
) -> None:
    """Write the embeddings of a split or a folder, with ids, labels and where they come from.

    \b
    Examples:
      triplet-embed --checkpoint runs/mnist_hard --output test.parquet
      triplet-embed --checkpoint runs/mnist_hard --split "train[:1000]" --output some.npz
      triplet-embed --checkpoint runs/mnist_hard --images photos --output photos.h5
      triplet-embed --checkpoint runs/mnist_hard --format projector --output map
    """
    from triplet_train.embeddings.output import (
        parse_shard,
        place_shard,
        refuse_output,
        refuse_output_of_shards,
        resolve_format,
    )
    from triplet_train.errors import RequestError
    from triplet_train.jobs.source_options import source_options

    chosen = resolve_format(output, format)
    source = source_options(dataset, data_dir, image_key, label_key, classes)
    if images is not None and (split or any(source.values())):
        raise RequestError("--split, --dataset and the like do not go with --images")
    options: dict[str, Any] = {
        "images": images,
        "split": split,
        "batch_size": batch_size,
        "strict": strict,
        "any_model": any_model,
    }
    file = output
    if engine == "ray":
        if shard is not None:
            raise RequestError("--engine ray makes the shards itself; leave out --shard")
        if find_spec("ray") is None:
            raise RequestError("--engine ray: install it with pip install 'triplet-train[ray]'")
        refuse_output_of_shards(output, chosen, overwrite=overwrite)
        run = import_with_tensorflow("triplet_train.jobs.embed_on_ray").embed_on_ray
    elif engine == "local":
        if shard is not None:
            options["shard"] = parse_shard(shard)
            file = place_shard(output, chosen, options["shard"], overwrite=overwrite)
        else:
            refuse_output(output, folder=FORMATS[chosen].folder, overwrite=overwrite)
        run = import_with_tensorflow("triplet_train.jobs.embed").embed
    else:
        raise RequestError(f"--engine {engine}: expected local or ray")
    rows, width = run(checkpoint, file, chosen, Console(quiet), **options, **source)
    say(f"{file}: {rows:,} vectors of {width} dimensions\n")


def main() -> None:
    launch(embed)
