"""triplet-train: from a YAML file to a run folder."""

import json
from glob import escape, glob
from pathlib import Path
from typing import Annotated

import typer

from triplet_train.cli.command import Version, answer, import_with_tensorflow, launch, say
from triplet_train.console import Console
from triplet_train.registry import shipped_configs


def configurations(incomplete: str) -> list[str]:
    """What completes --config: shipped ones and YAML files; of folders the shell knows itself."""
    shipped = [name for name in shipped_configs() if name.startswith(incomplete)]
    return shipped + sorted(glob(f"{escape(incomplete)}*.y*ml"))


def schema_text() -> str:
    """Every key, as YAML."""
    from triplet_train.config import schema_as_yaml  # takes a moment that --help does without

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
        typer.Option(help="Where the run goes.  [default: runs/<config name>]"),
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="TFDS folder; overrides data.data_dir.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run there.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run there.")] = False,
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
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
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
    """Train an embedding tower with a triplet loss, as a YAML file says.

    \b
    Examples:
      triplet-train --config digits_semihard
      triplet-train --config flowers.yaml --dry-run
      triplet-train --config mnist_hard --set loss.margin=0.3 --run-dir runs/margin_03
      triplet-train --config runs/margin_03/config.yaml --run-dir runs/margin_03 --resume
    """
    from triplet_train.config import config_name, load_config
    from triplet_train.embeddings.output import refuse_output
    from triplet_train.errors import RequestError
    from triplet_train.run.folder import RunFolder
    from triplet_train.run.guard import check

    if preview is not None:
        if not dry_run:
            raise RequestError("--preview goes with --dry-run")
        if preview.suffix != ".png":
            raise RequestError(f"--preview {preview}: a picture's name ends in .png")
        refuse_output(preview, folder=False, overwrite=overwrite)
    overrides = list(set_ or [])
    if data_dir is not None:
        overrides.append(
            f"data.data_dir={json.dumps(str(data_dir.absolute()), ensure_ascii=False)}"
        )
    settings = load_config(config, overrides)
    folder = RunFolder(run_dir or Path("runs") / config_name(config))
    check(folder, settings, resume=resume, overwrite=overwrite)  # needs no TensorFlow
    console = Console(quiet)
    if dry_run:
        job = import_with_tensorflow("triplet_train.jobs.dry_run")
        say(job.dry_run(settings, console, preview))
        return
    job = import_with_tensorflow("triplet_train.jobs.train")
    ending = job.run(settings, folder, console, resume=resume, overwrite=overwrite)
    say(f"{ending}\n")


def main() -> None:
    launch(train)
