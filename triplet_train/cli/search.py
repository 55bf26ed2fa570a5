"""triplet-search: the images of a gallery that are nearest to photographs."""

from pathlib import Path
from typing import Annotated

import typer

from triplet_train.cli.command import Quiet, Version, import_with_tensorflow, launch, say
from triplet_train.console import Console
from triplet_train.registry import FILES, either


def search(
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGE", help="The photographs to search for.")
    ],
    checkpoint: Annotated[
        Path,
        typer.Option(help="The run, checkpoint, .keras file or export that embedded the gallery."),
    ],
    gallery: Annotated[
        Path,
        typer.Option(help=f"The embedding file ({either(FILES)}) to search, or all its shards."),
    ],
    top: Annotated[
        int, typer.Option(min=1, max=1000, help="Images to find for each photograph.")
    ] = 10,
    threshold: Annotated[
        str | None,
        typer.Option(
            help="The distance up to which two images are called the same, or a threshold of the "
            "run, such as fpr_1e-3.  [default: eer of the run]"
        ),
    ] = None,
    exact: Annotated[
        bool,
        typer.Option("--exact", help="Search all vectors of a gallery that would get an index."),
    ] = False,
    json: Annotated[Path | None, typer.Option(help="Write all results to this file.")] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write a page with the pictures to FILE.html.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace these files.")] = False,
    quiet: Quiet = False,
    version: Version = False,
) -> None:
    """Find the images of an embedding file that are nearest to photographs.

    \b
    Examples:
      triplet-search --checkpoint runs/mnist_hard --gallery catalogue.parquet photo.jpg
      triplet-search --checkpoint runs/mnist_hard --gallery catalogue.parquet a.jpg b.jpg --top 3
      triplet-search --checkpoint runs/mnist_hard --gallery shards.parquet a.jpg --report a.html
      triplet-search --checkpoint tower.onnx --gallery catalogue.parquet a.jpg --threshold 0.7
    """
    from triplet_train.jobs.search.answer import write_answer
    from triplet_train.jobs.search.gallery import open_gallery
    from triplet_train.jobs.search.request import SearchRequest

    request = SearchRequest(
        checkpoint=checkpoint,
        gallery=gallery,
        images=images,
        top=top,
        threshold=threshold,
        exact=exact,
        json=json,
        report=report,
        overwrite=overwrite,
    )
    console = Console(quiet)
    opened = open_gallery(request, console)  # is read while TensorFlow is imported
    job = import_with_tensorflow("triplet_train.jobs.search.job")
    for text in write_answer(request, job.search(request, opened, console), console):
        say(text)


def main() -> None:
    launch(search)
