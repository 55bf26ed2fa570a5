"""A whole run, read from top to bottom: data, tower, training, embeddings, figures."""

import zlib
from dataclasses import asdict

import keras

from triplet_train.config import Config
from triplet_train.console import SILENT, Console
from triplet_train.data.batches import make_batches
from triplet_train.data.caching import cached
from triplet_train.data.source import open_source
from triplet_train.embeddings.compute import at_once, make_embed
from triplet_train.errors import RequestError
from triplet_train.evaluation import leave_one_out_coverage, retrieval_metrics
from triplet_train.jobs.run_data import require_weights, run_tables
from triplet_train.jobs.run_end import export_and_evaluate, is_finished
from triplet_train.jobs.run_text import ending, opening
from triplet_train.models.tower import build_tower
from triplet_train.run.folder import RunFolder
from triplet_train.run.guard import changes, check
from triplet_train.run.opening import opened
from triplet_train.training.context import Context
from triplet_train.training.devices import Devices, choose_devices, gpu_names
from triplet_train.training.loop import train


def run(
    config: Config,
    folder: RunFolder,
    console: Console,
    *,
    resume: bool = False,
    overwrite: bool = False,
) -> str:
    """Train, export and judge as `config` says, into `folder`; what to tell the user at the end.

    Everything that can be refused is refused before the folder is made. Of several workers each
    calls this, and the chief alone touches the folder.

    Raises:
        RequestError: the request is wrong.
        RunError: the run failed.
        Stopped: a signal during training, or stderr can no longer be written; what was done is
            saved.
    """
    check(folder, config, resume=resume, overwrite=overwrite)
    if resume and is_finished(config, folder):
        return f"{folder} is finished; nothing to resume"
    changed = changes(folder, config) if resume else {}
    require_weights(config)
    devices = choose_devices(config, console)
    with devices.failures_explained():
        return _train_and_judge(config, folder, devices, changed, resume, overwrite, console)


def _train_and_judge(
    config: Config,
    folder: RunFolder,
    devices: Devices,
    changed: dict[str, str],
    resume: bool,
    overwrite: bool,
    console: Console,
) -> str:
    if not devices.chief:
        console = SILENT
    context = Context(config, folder, resume, overwrite, devices=devices, console=console)
    classes = folder.classes() if resume else None
    source = open_source(config.data, console, classes=classes)
    tables = run_tables(config, source)
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
    images, *judged = cached(wanted, config.data, console)
    if not devices.chief:
        train(context, tower, images, batches, None)
        return f"done; the chief writes {folder}"
    (held_out,) = judged
    embed = make_embed(tower, at_once(config, held_out.image_shape))
    counts = leave_one_out_coverage(held_out.labels)

    with opened(
        folder, config, rows, source.classes, gpu_names(), resume=resume, overwrite=overwrite
    ):
        lines = [*opening(config, images, held_out, batches, devices, changed)]
        if not console.quiet:
            lines += source.in_two_classes(config.used_splits)
        for line in lines:
            console.say(line)
        progress = train(
            context,
            tower,
            images,
            batches,
            lambda: retrieval_metrics(embed(held_out), held_out.labels) | asdict(counts),
            str(counts),
        )
        metrics = export_and_evaluate(config, folder, tables.exported, progress.best_step, console)
    return ending(config, folder, progress.best_step, metrics)
