"""Messages before the first step of a run and after its last step."""

import shlex
from typing import Any

from triplet_train.data.batches import PKBatches
from triplet_train.data.images import ImageTable
from triplet_train.evaluation import METRICS, Coverage
from triplet_train.evaluation.metrics import Shown
from triplet_train.files import in_one_line
from triplet_train.jobs.train.end import embedding_files
from triplet_train.run.request import TrainRequest
from triplet_train.training.context import Context


def announce(
    context: Context,
    training: ImageTable,
    evaluated: ImageTable,
    batches: PKBatches,
    changed: dict[str, str],
) -> None:
    """Print the devices and batches of the run, changed keys, and notes on the images.

    Args:
        changed: keys that changed since the run was started or resumed; see `changes`.
    """
    config, say, warn = context.config, context.console.say, context.console.warn
    say(
        f"training on {context.devices.description}: {len(training):,} images, "
        f"batches of {config.batch.classes} x {config.batch.per_class}, "
        f"{batches.steps_per_epoch} steps per epoch"
    )
    for key, change in changed.items():
        say(f"resuming with another {key}: {change}")
    if "train.steps" in changed and config.optimizer.schedule == "cosine":
        warn(
            "the learning rate follows the new train.steps from here on; its earlier decay was for "
            "the old one, so the result differs from that of a new run with as many steps"
        )
    for note in dict.fromkeys([*training.notes, *evaluated.notes]):
        say(note)
    shared = len(set(training.ids) & set(evaluated.ids))
    if shared:
        warn(
            f"{shared:,} of the {len(evaluated):,} images of {config.data.eval_split} are also "
            "training images, so the metrics are too optimistic"
        )
    if batches.left_out:
        say(f"left out, because a single image forms no pair: {_list(training, batches.left_out)}")
    if batches.repeated:
        say(
            f"classes with fewer than batch.per_class = {config.batch.per_class} images, which are "
            f"repeated within a batch: {_list(training, batches.repeated)}"
        )


def ending(request: TrainRequest, best_step: int, metrics: dict[str, dict[str, Any]]) -> str:
    """Return the metrics of each split, the files of the run, and the commands to type next."""
    run, config = request.run, request.config
    lines = [f"{split}: {_summary(values)}" for split, values in metrics.items()]
    folder, tensorboard = shlex.quote(str(run)), shlex.quote(str(run.tensorboard))
    lines += [
        f"{run.embedder}  the tower of step {best_step}, the best of the run",
        *map(str, embedding_files(request)),
        f"{run.metrics}",
        *([f"{run.report}"] if metrics[config.export_splits[0]] else []),
        "next:",
        f"  triplet-eval --checkpoint {folder}",
        f"  triplet-embed --checkpoint {folder} --output embeddings.npz",
        f"  tensorboard --logdir {tensorboard}",
    ]
    return "\n".join(lines)


def _summary(metrics: dict[str, Any]) -> str:
    if not metrics:
        return "no metrics, since no query has another image of its class to find"
    shown = (f"{m.label} {metrics[m.name]:.4f}" for m in METRICS.shown_in(Shown.SUMMARY))
    return "  ".join([*shown, f"({Coverage.of_counts(metrics)})"])


def _list(images: ImageTable, labels: list[int], most: int = 5) -> str:
    names = ", ".join(in_one_line(images.class_names[label]) for label in labels[:most])
    more = len(labels) - most
    return f"{names} and {more} more classes" if more > 0 else names
