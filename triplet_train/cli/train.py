"""triplet-train: from a YAML file to a run folder."""

from glob import escape, glob
from pathlib import Path
from typing import Annotated

import typer

from triplet_train.cli.command import Quiet, Version, answer, import_with_tensorflow, launch, say
from triplet_train.console import Console
from triplet_train.registry import shipped_configs


def configurations(incomplete: str) -> list[str]:
    """Return completions of --config: shipped names and YAML files. The shell completes folders."""
    shipped = [name for name in shipped_configs() if name.startswith(incomplete)]
    return shipped + sorted(glob(f"{escape(incomplete)}*.y*ml"))


def schema_text() -> str:
    """Return every key as YAML."""
    from triplet_train.config import schema_as_yaml  # slow, and not needed for --help

    return schema_as_yaml()


def train(
    config: Annotated[
        str,
        typer.Option(
            help="A YAML file, or the name of a shipped configuration.",
            metavar="YAML",
            autocompletion=configurations,
        ),
    ],
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Override a key, as in loss.margin=0.3. Repeatable."
        ),
    ] = None,
    run_dir: Annotated[
        Path | None,
        typer.Option(help="Folder of the run.  [default: runs/<config name>]"),
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="TFDS folder; overrides data.data_dir.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run in its folder.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run in its folder.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would happen; write nothing.")
    ] = False,
    preview: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png",
            help="With --dry-run: write the first batch as the tower will see it, augmented.",
        ),
    ] = None,
    quiet: Quiet = False,
    schema: Annotated[
        bool,
        typer.Option(
            "--schema",
            is_eager=True,
            callback=answer(schema_text),
            help="Print every key of a configuration, with its default, type and meaning.",
        ),
    ] = False,
    version: Version = False,
) -> None:
    """Train an embedding tower with a triplet loss, as a YAML file describes it.

    \b
    Examples:
      triplet-train --config digits_semihard
      triplet-train --config flowers.yaml --dry-run
      triplet-train --config mnist_hard --set loss.margin=0.3 --run-dir runs/margin_03
      triplet-train --config runs/margin_03/config.yaml --run-dir runs/margin_03 --resume
    """
    from triplet_train.jobs.train.request import check_preview, make_request

    if preview is not None:
        check_preview(preview, dry_run=dry_run, overwrite=overwrite)
    request = make_request(
        config,
        set_ or (),
        run_dir=run_dir,
        data_dir=data_dir,
        resume=resume,
        overwrite=overwrite,
    )
    if dry_run:
        job = import_with_tensorflow("triplet_train.jobs.train.dry_run")
        say(job.dry_run(request.config, Console(quiet), preview))
    else:
        job = import_with_tensorflow("triplet_train.jobs.train.job")
        say(f"{job.run(request, Console(quiet))}\n")


def main() -> None:
    launch(train)
