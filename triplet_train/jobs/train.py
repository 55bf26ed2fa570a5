"""A whole run, read from top to bottom: data, tower, training, embeddings, figures."""

import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import keras
import tensorflow as tf

from triplet_train.config import Config, to_yaml
from triplet_train.data.batches import PKBatches
from triplet_train.data.sources import ImageSet, Source
from triplet_train.embeddings.compute import make_embed
from triplet_train.embeddings.files import write_table
from triplet_train.embeddings.formats import file_name
from triplet_train.errors import RequestError
from triplet_train.evaluation import has_pairs, retrieval_figures
from triplet_train.files import write_json
from triplet_train.jobs import run_folder
from triplet_train.jobs.tower_source import TowerSource
from triplet_train.models.embedder import EMBEDDER, load_embedder
from triplet_train.models.tower import build_tower
from triplet_train.training.loop import train


@dataclass(frozen=True)
class Outcome:
    """What a finished run is worth.

    Attributes:
        step: the step that was judged best, whose tower the run keeps.
        figures: retrieval figures by split; none for a split without two images of a class.
        files: the embedding files.
    """

    step: int
    figures: dict[str, dict[str, float]]
    files: list[Path]


def run(
    config: Config,
    run_dir: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    quiet: bool = False,
) -> Outcome | None:
    """Train, export and judge as `config` says, into `run_dir`.

    Everything that can be refused is refused before the folder is made. Returns None where the
    run to resume is finished.

    Raises:
        RequestError: the request is wrong.
        RunError: the run failed.
        Stopped: Ctrl-C or SIGTERM during training; its state is saved.
    """
    run_folder.check(run_dir, config, resume=resume, overwrite=overwrite)
    if resume and (run_dir / run_folder.FIGURES).exists():
        return None
    source = Source(config.data)
    _refuse_impossible(config, source)
    images = source.load(config.data.train_split, quiet=quiet)
    batches = PKBatches(
        images.labels,
        classes=config.batch.classes,
        per_class=config.batch.per_class,
        seed=config.seed,
    )
    held_out = source.load(config.data.eval_split, quiet=quiet)
    if not has_pairs(held_out.labels):
        raise RequestError(
            f"data.eval_split: no two images of {config.data.eval_split} share a class, "
            "so there is nothing to judge"
        )
    keras.utils.set_random_seed(config.seed)
    tower = build_tower(config.model, source.image_shape, config.train.precision)
    embed = make_embed(tower)

    with run_folder.opened(run_dir, config, resume=resume, overwrite=overwrite):
        if not quiet:
            for line in _opening(config, images, held_out, batches):
                print(line, file=sys.stderr)
        progress = train(
            config,
            tower,
            images,
            batches,
            lambda: retrieval_figures(embed(held_out.images), held_out.labels).figures,
            run_dir,
            resume=resume,
            quiet=quiet,
        )
        return _finish(config, run_dir, source, progress.best_step, quiet)


def report(run_dir: Path, outcome: Outcome | None) -> str:
    """What the run gave, where it lies, and what to type next."""
    if outcome is None:
        return f"{run_dir} is finished; nothing to resume"
    lines = [
        f"{split}: recall@1 {f['recall_at_1']:.4f}  recall@5 {f['recall_at_5']:.4f}  "
        f"R-precision {f['r_precision']:.4f}  MAP@R {f['map_at_r']:.4f}"
        if f
        else f"{split}: no two images share a class, so there are no figures"
        for split, f in outcome.figures.items()
    ]
    folder = shlex.quote(str(run_dir))
    lines += [
        f"{run_dir / EMBEDDER}  the tower of step {outcome.step}, the best of the run",
        *map(str, outcome.files),
        f"{run_dir / run_folder.FIGURES}",
        "next:",
        f"  triplet-eval --checkpoint {folder}",
        f"  triplet-embed --checkpoint {folder} --output embeddings.npz",
        f"  tensorboard --logdir {folder}/tensorboard",
    ]
    return "\n".join(lines)


def dry_run(config: Config) -> str:
    """The resolved configuration as YAML, then what a run would do, as YAML comments.

    Writes nothing: a set that would have to be downloaded is said to be, and not downloaded.

    Raises:
        RequestError: the run would be refused.
    """
    source = Source(config.data, write=False)
    facts = [f"data set   {source.name}, {source.classes() or 'an unknown number of'} classes"]
    if source.ready:
        _refuse_impossible(config, source)
        uses = {"train on": [config.data.train_split], "judge on": [config.data.eval_split]}
        for use, splits in (uses | {"export": config.export_splits}).items():
            facts += [f"{use:10s} {split}: {source.count(split):,} images" for split in splits]
    else:
        facts += ["           not on disk; a run would download it first, and sizes are known then"]
    batch, steps = config.batch, config.train.steps
    size = batch.classes * batch.per_class
    rows = source.count(config.data.train_split) if source.ready else 0
    epochs = f", {steps * size / rows:.1f} epochs" if rows else ""
    tower = build_tower(config.model, source.image_shape, config.train.precision)
    height, width, channels = source.image_shape
    facts += [
        f"batch      {size} images: {batch.classes} classes x {batch.per_class} of each",
        f"steps      {steps:,}: {steps * size:,} images{epochs}",
        f"tower      {height} x {width} x {channels} -> {config.model.embedding_dim}, "
        f"{tower.count_params():,} parameters",
    ]
    return to_yaml(config) + "\n" + "".join(f"# {fact}\n" for fact in facts)


def _refuse_impossible(config: Config, source: Source) -> None:
    """What the set's description alone shows to be impossible, before any image is read."""
    for split in (config.data.train_split, config.data.eval_split, *config.export_splits):
        source.count(split)
    names = {file_name(split, "npz") for split in config.export_splits}
    if len(names) < len(config.export_splits):
        raise RequestError("embeddings.splits: two of the splits would have the same file name")
    classes = source.classes()
    if classes is not None and config.batch.classes > classes:
        raise RequestError(
            f"batch.classes: {source.name} has {classes} classes, too few for "
            f"{config.batch.classes} distinct ones in a batch"
        )


def _opening(
    config: Config, images: ImageSet, held_out: ImageSet, batches: PKBatches
) -> Iterator[str]:
    """What is about to happen, and what the user should know of the classes."""
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    yield (
        f"training on {devices[0].device_type}: {len(images):,} images, "
        f"batches of {config.batch.classes} x {config.batch.per_class}, "
        f"{batches.steps_per_epoch} steps per epoch"
    )
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


def _list(images: ImageSet, labels: list[int], most: int = 5) -> str:
    names = ", ".join(images.class_names[label] for label in labels[:most])
    more = len(labels) - most
    return f"{names} and {more} more classes" if more > 0 else names


def _finish(config: Config, run_dir: Path, source: Source, best_step: int, quiet: bool) -> Outcome:
    """Export the splits with the best tower, and judge it by what was exported."""
    file = run_dir / EMBEDDER
    best = TowerSource(file, load_embedder(file), config, source)
    folder = run_dir / "embeddings"
    folder.mkdir(exist_ok=True)
    figures: dict[str, dict[str, float]] = {}
    files = []
    for split in config.export_splits:
        table = best.table(split, quiet=quiet)
        for format in config.embeddings.formats:
            files.append(folder / file_name(split, format))
            write_table(table, files[-1], format)
        pairs = has_pairs(table.labels)
        figures[split] = retrieval_figures(table.embeddings, table.labels).figures if pairs else {}
    first = config.export_splits[0]
    final = {"step": best_step, "split": first, **figures[first], "splits": figures}
    write_json(run_dir / run_folder.FIGURES, final)
    return Outcome(best_step, figures, files)
