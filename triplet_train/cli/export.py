"""triplet-export: write the tower of a run in a format of other programs."""

from pathlib import Path
from typing import Annotated

import typer

from triplet_train.cli.command import Quiet, Version, import_with_tensorflow, launch, say
from triplet_train.console import Console


def export(
    checkpoint: Annotated[
        Path,
        typer.Option(
            help="A run folder (its best checkpoint), a checkpoint inside one, or a .keras file."
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            help="NAME.onnx, NAME.tflite (LiteRT), or a name without a suffix: the folder of a "
            "SavedModel."
        ),
    ],
    input: Annotated[
        str,
        typer.Option(
            help="images: uint8 [N, H, W, C]; or bytes, for a SavedModel: JPEG, PNG and WebP files "
            "as they are."
        ),
    ] = "images",
    quantize: Annotated[
        str | None,
        typer.Option(
            help="float16 or int8, for .onnx and .tflite: smaller weights. Prints what it costs in "
            "recall_at_1.  [default: float32]"
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            help="Check, and calibrate int8, with the images in this folder or table.  [default: "
            "the first split that the run exports]"
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the output.")] = False,
    quiet: Quiet = False,
    version: Version = False,
) -> None:
    """Write a tower for ONNX Runtime, LiteRT or TensorFlow Serving, checked against the original.

    \b
    Examples:
      triplet-export --checkpoint runs/mnist_hard --output embedder.onnx
      triplet-export --checkpoint runs/mnist_hard --output embedder.tflite --quantize int8
      triplet-export --checkpoint runs/mnist_hard --output served/1
      triplet-export --checkpoint runs/photos --output served/2 --input bytes
    """
    from triplet_train.jobs.export.request import ExportRequest

    request = ExportRequest(
        checkpoint=checkpoint,
        output=output,
        input=input,
        quantize=quantize,
        images=images,
        overwrite=overwrite,
    )
    job = import_with_tensorflow("triplet_train.jobs.export.job")
    lines = job.export(request, Console(quiet))
    say("\n".join(lines) + "\n")


def main() -> None:
    launch(export)
