"""Description of a run, without running it."""

import math
from pathlib import Path

import keras
import tensorflow as tf

from triplet_train.config import Config, to_yaml
from triplet_train.console import Console
from triplet_train.data.batches import make_batches
from triplet_train.data.caching import which_fit
from triplet_train.data.images import ImageTable
from triplet_train.data.source import open_source
from triplet_train.data.summary import summary
from triplet_train.errors import RequestError
from triplet_train.files import replacing
from triplet_train.jobs.train.held_out import hold_out
from triplet_train.jobs.train.images import require_colours, run_images
from triplet_train.jobs.train.messages import early_end, overlap, uneven
from triplet_train.jobs.train.parent import parent_of
from triplet_train.models.earlier_tower import take_weights
from triplet_train.models.keras_file import read_backbone
from triplet_train.models.tower import build_tower
from triplet_train.models.towers.applications import published_weights
from triplet_train.registry import IMAGENET
from triplet_train.training.augmentation import make_augmentation
from triplet_train.training.devices import choose_devices, kind_of_devices
from triplet_train.training.randomness import step_key
from triplet_train.training.trained_tower import TrainedTower


def dry_run(config: Config, console: Console, preview: Path | None = None) -> str:
    """Return the resolved configuration as YAML, and a description of the run as YAML comments.

    Nothing is downloaded, and nothing but the preview is written. The division of a batch among
    several workers is not checked.

    Args:
        preview: PNG file for the images of the first step, as the tower sees them.

    Raises:
        RequestError: the run would be refused, or the preview needs a data set that is not on disk.
    """
    if kind_of_devices(config) != "multi_worker":  # which would wait for the others
        choose_devices(config)
    source = open_source(config.data, console, write=False)
    require_colours(config, source)
    batch, steps = config.batch, config.train.steps
    size, part, epochs = batch.size, config.train.microbatch, ""
    facts = [f"data set   {source.name}"]
    if source.ready:
        images, evaluated, exported = run_images(config, source)
        batches = make_batches(config, images.labels)
        epochs = f", {steps * size / len(images):.1f} epochs"
        held = which_fit([images, evaluated], config.data)
        facts += _split("train on", images, config, held[0])
        facts += _split("evaluate", evaluated, config, held[1])
        facts += [f"{'':11s}{line}" for line in hold_out(config, evaluated).notes()]
        facts += [_split("export", table, config, False)[0] for table in exported]
        remarks = [
            *overlap(config, images, evaluated),
            *uneven(config, images, batches),
            *source.in_two_classes(config.used_splits),
        ]
        facts += [f"{'':11s}{line}" for line in remarks]
    else:
        facts += [f"{'':11s}not on disk; a run would download it first"]
    facts += [
        f"batch      {size} images: {batch.classes} classes x {batch.per_class} of each"
        + (", every class equally often" if batch.sampling == "classes" else "")
        + (f", {part} in the tower at a time" if part else ""),
        f"augment    {_augmentation(config)}",
        f"steps      {steps:,}: {steps * size:,} images{epochs}",
        f"best step  by {config.evaluation.best_metric} of {config.data.eval_split}, every "
        f"{config.train.eval_every:,} steps",
        *(f"{'':11s}{line}" for line in early_end(config)),
        *_tower(config, source.image_shape),
    ]
    if preview:
        if not source.ready:
            raise RequestError(
                f"--preview needs the images of {source.name}, which are not on disk; a run "
                "without --dry-run downloads them"
            )
        _write_preview(config, images, preview)
        facts.append(f"preview    {preview}")
    return to_yaml(config) + "\n" + "".join(f"# {fact}\n" for fact in facts)


def _tower(config: Config, shape: tuple[int, int, int]) -> list[str]:
    """Describe the tower, without a download."""
    model, precision = config.model, config.train.precision
    heading = f"tower      {model.tower}: {' x '.join(map(str, shape))} -> {model.embedding_dim}"
    if model.tower == "keras_hub" and not Path(model.backbone or "").is_dir():
        return [heading, f"backbone   {model.backbone}, which only a run loads, or downloads first"]
    facts = []
    if model.tower == "keras" and model.backbone:
        facts.append(f"backbone   {read_backbone(model.backbone, model.input_range)}")
    if model.weights == IMAGENET:
        weights = published_weights(model.tower, shape)
        missing = f" is not on disk; a run would download {weights.url} first"
        facts.append(f"weights    {weights.file}{missing * (not weights.file.is_file())}")
        if not weights.file.is_file():
            model = model.model_copy(update={"weights": None})
    tower = build_tower(model, shape, precision)
    if parent := parent_of(config):
        facts.append(f"init       {parent}")
        differences = [*parent.changed, *take_weights(tower, parent.file)]
        facts += [f"{'':11s}{line}" for line in differences]
    counts = f", {tower.count_params():,} parameters{_trained(tower, config)}"
    return [heading + counts, *facts]


def _split(use: str, table: ImageTable, config: Config, held: bool) -> list[str]:
    chosen = f", classes {table.classes}" if table.classes else ""
    first, *others = summary(table, config.data, held)
    return [f"{use:10s} {table.split}{chosen}: {first}", *(f"{'':11s}{line}" for line in others)]


def _augmentation(config: Config) -> str:
    on = [f"{key} {value}" for key, value in config.augment.model_dump().items() if value]
    return ", ".join(on) or "nothing"


def _write_preview(config: Config, images: ImageTable, file: Path) -> None:
    """Draw the batch of the first step, augmented by the function that the step calls."""
    from triplet_train.report.preview import preview_sheet  # half a second to import

    rows = make_batches(config, images.labels).rows(0)
    batch, augment = images.read(rows), make_augmentation(config.augment)
    if augment:
        first_step = tf.function(
            lambda: augment(
                tf.constant(batch), step_key(config.seed, 0), tf.range(len(rows)), len(rows)
            ),
            autograph=False,
            jit_compile=config.train.jit_compile is True,
        )
        batch = first_step().numpy()
    labels = images.labels[rows][:: config.batch.per_class]
    with replacing(file) as beside:
        preview_sheet(batch, labels, images.class_names).save(beside)


def _trained(tower: keras.Model, config: Config) -> str:
    """Name the parameters that are trained if a part of the tower is at rest."""
    model, clauses = config.model, ""
    if model.freeze_backbone:
        head = TrainedTower(tower, frozen=True).trainable_variables
        clauses = f", {sum(math.prod(weight.shape) for weight in head):,} trained"
        if model.freeze_backbone is not True:
            clauses += f" in the first {model.freeze_backbone:,} steps"
    if model.freeze_batch_norm:
        clauses += ", batch statistics at rest"
    return clauses
