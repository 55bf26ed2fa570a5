"""Messages before the first step of a run and after its last step."""

import shlex
from typing import Any

from triplet_train.config import Config
from triplet_train.data.batches import PKBatches
from triplet_train.data.images import ImageTable
from triplet_train.evaluation import Coverage
from triplet_train.evaluation.metrics import Metric, Shown
from triplet_train.files import in_one_line, read_json
from triplet_train.jobs.asked_metrics import asked_metrics
from triplet_train.jobs.train.end import embedding_files
from triplet_train.models.keras_file import read_backbone
from triplet_train.run.request import TrainRequest
from triplet_train.training.context import Context
from triplet_train.training.state import TrainingState, without_better


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
    if config.model.tower == "keras" and config.model.backbone and not context.resume:
        say(f"{read_backbone(config.model.backbone, config.model.input_range)}")
    for key, change in changed.items():
        say(f"resuming with another {key}: {change}")
    if "train.steps" in changed and config.optimizer.schedule == "cosine":
        warn(
            "the learning rate follows the new train.steps from here on; its earlier decay was for "
            "the old one, so the result differs from that of a new run with as many steps"
        )
    for note in dict.fromkeys([*early_end(config), *training.notes, *evaluated.notes]):
        say(note)
    for line in overlap(config, training, evaluated):
        warn(line)
    for line in uneven(config, training, batches):
        say(line)


def overlap(config: Config, training: ImageTable, evaluated: ImageTable) -> list[str]:
    """Return a line about images that are trained and evaluated on, if there are any."""
    shared = len(set(training.ids) & set(evaluated.ids))
    if not shared:
        return []
    return [
        f"{shared:,} of the {len(evaluated):,} images of {config.data.eval_split} are also "
        "training images, so the metrics are too optimistic"
    ]


def uneven(config: Config, training: ImageTable, batches: PKBatches) -> list[str]:
    """Return lines about classes that are left out of batches, or repeated in them."""
    lines = []
    if batches.left_out:
        names = _list(training, batches.left_out)
        lines.append(f"left out, because a single image forms no pair: {names}")
    if batches.repeated:
        lines.append(
            f"classes with fewer than batch.per_class = {config.batch.per_class} images, which are "
            f"repeated within a batch: {_list(training, batches.repeated)}"
        )
    return lines


def early_end(config: Config) -> list[str]:
    """Return a sentence on the end that `train.patience` may bring, and on its learning rate."""
    patience, best = config.train.patience, config.evaluation.best_metric
    if not patience:
        return []
    text = f"the run ends early after {without_better(patience, best)}"
    if config.optimizer.schedule == "cosine":
        text += (
            f"; its learning rate then has not come down to 0, which the cosine schedule reaches "
            f"at step {config.train.steps:,}"
        )
    return [text]


def nothing_to_resume(request: TrainRequest) -> str:
    """Return the text of a finished run, which may have ended early."""
    text = f"{request.run} is finished; nothing to resume"
    final = read_json(request.run.metrics)
    if "ended_early" in final:
        text += (
            f": it ended early at step {final['steps']:,}; to go on, give a train.patience of more "
            f"than {final['ended_early']['evaluations_without_improvement']}, or null"
        )
    return text


def ending(request: TrainRequest, state: TrainingState, metrics: dict[str, dict[str, Any]]) -> str:
    """Return the metrics of each split, the files of the run, and the commands to type next."""
    run, config = request.run, request.config
    asked = asked_metrics(config.evaluation)
    best = config.evaluation.best_metric
    shown = [m for m in asked if Shown.SUMMARY in m.shown or m.name == best]
    lines = [f"{split}: {_summary(values, shown)}" for split, values in metrics.items()]
    if state.step < config.train.steps:
        lines.append(_ended_early(config, state))
    folder, tensorboard = shlex.quote(str(run)), shlex.quote(str(run.tensorboard))
    lines += [
        f"{run.embedder}  the tower of step {state.best_step}, the best of the run by {best}"
        + ("; loading it needs KerasHub, the extra hub" * (config.model.tower == "keras_hub")),
        *map(str, embedding_files(request)),
        f"{run.metrics}",
        *([f"{run.report}"] if metrics[config.export_splits[0]] else []),
        "next:",
        f"  triplet-eval --checkpoint {folder}",
        f"  triplet-embed --checkpoint {folder} --output embeddings.npz",
        f"  tensorboard --logdir {tensorboard}",
    ]
    return "\n".join(lines)


def _ended_early(config: Config, state: TrainingState) -> str:
    text = (
        f"ended early, at step {state.step:,} of {config.train.steps:,}: "
        f"{without_better(state.waited, config.evaluation.best_metric)}"
    )
    if config.optimizer.schedule == "cosine":
        text += "; the learning rate of the cosine schedule had not come down to 0"
    return text


def _summary(metrics: dict[str, Any], shown: list[Metric]) -> str:
    if not metrics:
        return "no metrics, since no query has another image of its class to find"
    values = (f"{m.name} {metrics[m.name]:.4f}" for m in shown if m.name in metrics)
    return "  ".join([*values, f"({Coverage.of_counts(metrics)})"])


def _list(images: ImageTable, labels: list[int], most: int = 5) -> str:
    names = ", ".join(in_one_line(images.class_names[label]) for label in labels[:most])
    more = len(labels) - most
    return f"{names} and {more} more classes" if more > 0 else names
