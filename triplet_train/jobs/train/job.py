"""A run from beginning to end: data, tower, training, embeddings, metrics."""

import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import keras

from triplet_train.console import SILENT, Console
from triplet_train.data.batches import PKBatches, make_batches
from triplet_train.data.caching import cached
from triplet_train.data.images import ImageTable
from triplet_train.data.source import open_source
from triplet_train.embeddings.compute import at_once, make_embed
from triplet_train.errors import RequestError
from triplet_train.jobs.train.end import export_and_evaluate, is_finished
from triplet_train.jobs.train.held_out import HeldOut, hold_out
from triplet_train.jobs.train.images import require_colours, run_images
from triplet_train.jobs.train.messages import announce, ending, nothing_to_resume
from triplet_train.jobs.train.parent import parent_needed
from triplet_train.jobs.train.pretrained import pretrained_digests, starting_model
from triplet_train.jobs.train.zero_features import zero_features
from triplet_train.models.earlier_tower import take_weights
from triplet_train.models.tower import build_tower
from triplet_train.models.towers.applications import published_weights
from triplet_train.registry import IMAGENET
from triplet_train.run.guard import changes, check
from triplet_train.run.opening import opened
from triplet_train.run.request import TrainRequest
from triplet_train.training.context import Context
from triplet_train.training.devices import choose_devices, gpu_names
from triplet_train.training.learner import Learner
from triplet_train.training.loop import train
from triplet_train.training.state import TrainingState
from triplet_train.training.tracking import tracking


def run(request: TrainRequest, console: Console) -> str:
    """Train, export and evaluate. Return the text for the user at the end.

    A request that is wrong is refused before the folder is made. Each worker calls this, but only
    the chief works in the folder.

    Raises:
        RequestError: the request is wrong.
        RunError: the run failed.
        Stopped: by a signal during training, or because standard error can no longer be written.
            The last step is saved.
    """
    check(request)
    if request.resume and is_finished(request):
        return nothing_to_resume(request)
    changed = changes(request) if request.resume else {}
    devices = choose_devices(request.config, console)
    console = console if devices.chief else SILENT
    with devices.failures_explained():
        return _run(Context(**vars(request), devices=devices, console=console), changed)


def _run(context: Context, changed: dict[str, str]) -> str:
    config, run, devices, console = context.config, context.run, context.devices, context.console
    classes = run.classes() if context.resume else None
    source = open_source(config.data, console, classes=classes)
    require_colours(config, source)
    images = run_images(config, source)
    digests = images.digests()
    if not devices.same_everywhere(zlib.crc32(digests["data.train_split"].encode())):
        raise RequestError(
            "another worker has other images or labels in data.train_split; give all workers the "
            "same data"
        )
    batches = make_batches(config, images.training.labels)
    held_out = hold_out(config, images.evaluated)
    model = starting_model(context)
    if model.weights == IMAGENET:
        file = published_weights(model.tower, source.image_shape).get(console.say)
        model = model.model_copy(update={"weights": str(file)})
    keras.utils.set_random_seed(config.seed)
    with devices.distribution.scope():
        tower = build_tower(
            model,
            source.image_shape,
            config.train.precision,
            synchronized=devices.replicas > 1,
        )
        parent = parent_needed(context)
        differences = take_weights(tower, parent.file) if parent else []
    learner = Learner(context, tower)
    if not devices.chief:
        (training,) = cached([images.training], config.data, console)
        train(context, learner, training, batches, None)
        return f"done; the chief writes {run}"
    with ThreadPoolExecutor(1) as thread:  # Python traces while TensorFlow decodes
        traced = thread.submit(learner.trace_first_step, source.image_shape)
        training, evaluated = cached([images.training, images.evaluated], config.data, console)
        traced.result()
    pretrained = pretrained_digests(model)
    if parent:
        pretrained["model.init"] = parent.sha256
    with (
        opened(context, digests, source.classes, gpu_names(), pretrained),
        tracking(context, console) as trackers,
    ):
        context = replace(context, tracking=trackers)
        announce(context, training, evaluated, batches, changed)
        if parent:
            console.say(f"starting from {parent}")
            for line in [*parent.changed, *differences]:
                console.say(f"  {line}")
        if not console.quiet:  # it takes a while
            for line in (*held_out.notes(), *source.in_two_classes(config.used_splits)):
                console.say(line)
        if pretrained and not context.resume:
            first = training.read(batches.rows(0))
            if warning := zero_features(tower, first):
                console.warn(warning)
        state = _train(context, learner, training, evaluated, held_out, batches)
        metrics = export_and_evaluate(context, images.exported, state, console)
        trackers.result(run, state.step, metrics)
    return ending(context, state, metrics)


def _train(
    context: Context,
    learner: Learner,
    training: ImageTable,
    evaluated: ImageTable,
    held_out: HeldOut,
    batches: PKBatches,
) -> TrainingState:
    embed = make_embed(learner.tower, at_once(context.config, evaluated.image_shape))
    evaluate = held_out.evaluation(embed, evaluated)
    return train(context, learner, training, batches, evaluate, str(held_out))
