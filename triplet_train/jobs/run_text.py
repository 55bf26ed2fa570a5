"""What a run says before its first step and after its last."""

import shlex
from collections.abc import Iterator
from typing import Any

from triplet_train.config import Config
from triplet_train.data.batches import PKBatches
from triplet_train.data.images import ImageTable
from triplet_train.evaluation import Coverage
from triplet_train.files import in_one_line
from triplet_train.jobs.run_end import embedding_files
from triplet_train.run.folder import RunFolder
from triplet_train.training.devices import Devices


def opening(
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


def ending(
    config: Config, run: RunFolder, best_step: int, figures: dict[str, dict[str, Any]]
) -> str:
    """What the run gave, where it lies, and what to type next."""
    lines = [
        f"{split}: recall@1 {f['recall_at_1']:.4f}  recall@5 {f['recall_at_5']:.4f}  "
        f"R-precision {f['r_precision']:.4f}  MAP@R {f['map_at_r']:.4f}  ({Coverage.of_counts(f)})"
        if f
        else f"{split}: no two images share a class, so there are no figures"
        for split, f in figures.items()
    ]
    folder = shlex.quote(str(run))
    lines += [
        f"{run.embedder}  the tower of step {best_step}, the best of the run",
        *map(str, embedding_files(run, config)),
        f"{run.metrics}",
        *([f"{run.report}"] if figures[config.export_splits[0]] else []),
        "next:",
        f"  triplet-eval --checkpoint {folder}",
        f"  triplet-embed --checkpoint {folder} --output embeddings.npz",
        f"  tensorboard --logdir {shlex.quote(str(run.tensorboard))}",
    ]
    return "\n".join(lines)


def _list(images: ImageTable, labels: list[int], most: int = 5) -> str:
    names = ", ".join(in_one_line(images.class_names[label]) for label in labels[:most])
    more = len(labels) - most
    return f"{names} and {more} more classes" if more > 0 else names
