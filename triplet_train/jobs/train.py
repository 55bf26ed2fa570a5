"""A whole run, read from top to bottom: data, tower, training, embeddings, figures."""

import json
import shlex
import sys
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras

from triplet_train.config import Config
from triplet_train.data.batches import PKBatches, make_batches
from triplet_train.data.caching import cached
from triplet_train.data.images import ImageTable
from triplet_train.data.sources import open_source
from triplet_train.embeddings.compute import make_embed
from triplet_train.embeddings.files import write_table
from triplet_train.embeddings.formats import file_name
from triplet_train.embeddings.projector import list_exports
from triplet_train.errors import RequestError
from triplet_train.evaluation import has_pairs, retrieval_figures
from triplet_train.files import write_json
from triplet_train.jobs import run_folder
from triplet_train.jobs.judged import Judged, judge_tables
from triplet_train.jobs.run_data import require_weights, run_tables
from triplet_train.jobs.tower_source import OpenTower
from triplet_train.models.embedder import EMBEDDER, load_embedder
from triplet_train.models.tower import build_tower
from triplet_train.training.devices import Devices, choose_devices
from triplet_train.training.loop import train


def run(
    config: Config,
    run_dir: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    quiet: bool = False,
) -> str:
    """Train, export and judge as `config` says, into `run_dir`; what to tell the user at the end.

    Everything that can be refused is refused before the folder is made. Of several workers each
    calls this, and the chief alone touches the folder.

    Raises:
        RequestError: the request is wrong.
        RunError: the run failed.
        Stopped: Ctrl-C or SIGTERM during training; its state is saved.
    """
    run_folder.check(run_dir, config, resume=resume, overwrite=overwrite)
    if resume and _finished(config, run_dir):
        return f"{run_dir} is finished; nothing to resume"
    changes = run_folder.changes(run_dir, config) if resume else {}
    require_weights(config)
    devices = choose_devices(config, lambda line: quiet or print(line, file=sys.stderr))
    with devices.failures_explained():
        return _train_and_judge(config, run_dir, devices, changes, resume, overwrite, quiet)


def _train_and_judge(
    config: Config,
    run_dir: Path,
    devices: Devices,
    changes: dict[str, str],
    resume: bool,
    overwrite: bool,
    quiet: bool,
) -> str:
    silent = quiet or not devices.chief
    source = open_source(config.data)
    tables = run_tables(config, source, silent)
    rows = tables.fingerprints()
    if not devices.same_everywhere(zlib.crc32(rows["data.train_split"].encode())):
        raise RequestError("another worker has other images or labels in data.train_split")
    batches = make_batches(config, tables.trained.labels)
    keras.utils.set_random_seed(config.seed)
    with devices.distribution.scope():
        tower = build_tower(
            config.model,
            source.image_shape,
            config.train.precision,
            synchronized=devices.replicas > 1,
        )
    wanted = [tables.trained, tables.judged] if devices.chief else [tables.trained]
    images, *judged = cached(wanted, config.data, silent)
    if not devices.chief:
        train(config, tower, images, batches, None, run_dir, devices, resume=resume)
        return f"done; the chief writes {run_dir}"
    (held_out,) = judged
    embed = make_embed(tower)

    with run_folder.opened(run_dir, config, rows, resume=resume, overwrite=overwrite):
        if not quiet:
            for line in _opening(config, images, held_out, batches, devices, changes):
                print(line, file=sys.stderr)
        progress = train(
            config,
            tower,
            images,
            batches,
            lambda: retrieval_figures(embed(held_out), held_out.labels).figures,
            run_dir,
            devices,
            resume=resume,
            quiet=quiet,
        )
        figures = _finish(config, run_dir, tables.exported, progress.best_step, quiet)
    return _report(config, run_dir, progress.best_step, figures)


def _finished(config: Config, run_dir: Path) -> bool:
    """Whether all that `config` asks for is there, so that nothing is left to do."""
    file = run_dir / run_folder.FIGURES
    if not file.is_file():
        return False
    try:
        final = json.loads(file.read_text())
        return (
            final["steps"] == config.train.steps
            and final["splits"].keys() >= set(config.export_splits)
            and final["split"] == config.export_splits[0]
            and all(path.exists() for path in _embedding_files(config, run_dir))
            and ((run_dir / run_folder.REPORT).is_file() or "recall_at_1" not in final)
        )
    except (ValueError, LookupError, TypeError, AttributeError):  # damaged: it is written anew
        return False


def _embedding_file(run_dir: Path, split: str, format: str) -> Path:
    # TensorBoard opens nothing outside the folder that it finds settings in.
    folder = "tensorboard" if format == "projector" else "embeddings"
    return run_dir / folder / file_name(split, format)


def _embedding_files(config: Config, run_dir: Path) -> list[Path]:
    return [
        _embedding_file(run_dir, split, format)
        for split in config.export_splits
        for format in config.embeddings.formats
    ]


def _report(
    config: Config, run_dir: Path, best_step: int, figures: dict[str, dict[str, Any]]
) -> str:
    """What the run gave, where it lies, and what to type next."""
    lines = [
        f"{split}: recall@1 {f['recall_at_1']:.4f}  recall@5 {f['recall_at_5']:.4f}  "
        f"R-precision {f['r_precision']:.4f}  MAP@R {f['map_at_r']:.4f}"
        if f
        else f"{split}: no two images share a class, so there are no figures"
        for split, f in figures.items()
    ]
    folder = shlex.quote(str(run_dir))
    lines += [
        f"{run_dir / EMBEDDER}  the tower of step {best_step}, the best of the run",
        *map(str, _embedding_files(config, run_dir)),
        f"{run_dir / run_folder.FIGURES}",
        *([f"{run_dir / run_folder.REPORT}"] if figures[config.export_splits[0]] else []),
        "next:",
        f"  triplet-eval --checkpoint {folder}",
        f"  triplet-embed --checkpoint {folder} --output embeddings.npz",
        f"  tensorboard --logdir {folder}/tensorboard",
    ]
    return "\n".join(lines)


def _opening(
    config: Config,
    images: ImageTable,
    held_out: ImageTable,
    batches: PKBatches,
    devices: Devices,
    changes: dict[str, str],
) -> Iterator[str]:
    """What is about to happen, and what the user should know of the classes."""
    yield (
        f"training on {devices.description}: {len(images):,} images, "
        f"batches of {config.batch.classes} x {config.batch.per_class}, "
        f"{batches.steps_per_epoch} steps per epoch"
    )
    for key, change in changes.items():
        yield f"resuming with another {key}: {change}"
    if "train.steps" in changes and config.optimizer.schedule == "cosine":
        yield (
            "warning: the learning rate of the steps that are done fell towards the old end; from "
            "here on it is that of the new one, so that the run is not one of these steps from the "
            "start"
        )
    yield from dict.fromkeys([*images.notes, *held_out.notes])
    shared = len(set(images.ids) & set(held_out.ids))
    if shared:
        yield (
            f"warning: {shared:,} of the {len(held_out):,} images of {config.data.eval_split} are "
            "trained on too, so that their figures say little"
        )
    if batches.left_out:
        yield f"left out, having a single image and so no pair: {_list(images, batches.left_out)}"
    if batches.repeated:
        yield (
            f"fewer than batch.per_class = {config.batch.per_class} images, which repeat within "
            f"a batch: {_list(images, batches.repeated)}"
        )


def _list(images: ImageTable, labels: list[int], most: int = 5) -> str:
    names = ", ".join(images.class_names[label] for label in labels[:most])
    more = len(labels) - most
    return f"{names} and {more} more classes" if more > 0 else names


def _finish(
    config: Config, run_dir: Path, exported: list[ImageTable], best_step: int, quiet: bool
) -> dict[str, dict[str, Any]]:
    """Export the splits with the best tower, judge them by what was exported, and draw the first.

    Figures by split; none for a split without two images of a class.
    """
    file = run_dir / EMBEDDER
    best = OpenTower(file, load_embedder(file), run_dir, config)
    (run_dir / "embeddings").mkdir(exist_ok=True)
    first = config.export_splits[0]
    figures: dict[str, dict[str, Any]] = {}
    shown = None
    for table in exported:
        judged = _export(config, run_dir, best, table, best_step, quiet)
        if table.split == first:
            shown = judged
        figures[table.split] = {}
        if judged:
            judgement = judged.judgement
            figures[table.split] = {
                **judgement.figures,
                "intervals": judgement.intervals,
                "thresholds": judgement.thresholds,
            }
    if "projector" in config.embeddings.formats:
        list_exports(run_dir / "tensorboard")
    final = {"step": best_step, "steps": config.train.steps, "split": first, **figures[first]}
    write_json(run_dir / run_folder.FIGURES, final | {"splits": figures})
    if shown:
        _draw(shown, run_dir, quiet)
    return figures


def _export(
    config: Config,
    run_dir: Path,
    best: OpenTower,
    images: ImageTable,
    best_step: int,
    quiet: bool,
) -> Judged | None:
    """Write the embeddings of a split, and judge them; None where no two images share a class."""
    formats = config.embeddings.formats
    stream = images.stream()
    table = best.table(stream, with_images="projector" in formats, quiet=quiet)
    for format in formats:
        write_table(table, _embedding_file(run_dir, images.split, format), format)
    if not has_pairs(table.labels[table.labels >= 0]):
        return None
    about = {"dataset": images.name, "split": images.split, "best step": f"{best_step:,}"}
    if images.classes:
        about["classes"] = images.classes
    judged = judge_tables(about, table, None, quiet)
    return replace(judged, images=stream, run_dir=run_dir)


def _draw(judged: Judged, run_dir: Path, quiet: bool) -> None:
    from triplet_train.jobs.report import write_page  # half a second to import

    if not quiet:
        print(f"figures are in {run_folder.FIGURES}; drawing {run_folder.REPORT}", file=sys.stderr)
    write_page(judged, run_dir / run_folder.REPORT, f"{run_dir.name}: {judged.about['split']}")
