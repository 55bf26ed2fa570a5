"""The loop around the step: log, evaluate, checkpoint, stop when asked to."""

import shlex
import signal
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

import keras

from triplet_train.config import Config
from triplet_train.console import Console
from triplet_train.data.batches import PKBatches
from triplet_train.data.images import ImageTable
from triplet_train.errors import RunError, Stopped
from triplet_train.losses.mining.strategy import make_strategy
from triplet_train.run.folder import RunFolder
from triplet_train.training.augmentation import make_augmentation
from triplet_train.training.calls import make_calls
from triplet_train.training.checkpoints import Checkpoints, Progress
from triplet_train.training.clock import Clock
from triplet_train.training.devices import Devices, fewer_at_a_time
from triplet_train.training.interruption import interruption
from triplet_train.training.log import RunLog
from triplet_train.training.optimizers import make_optimizer
from triplet_train.training.step import make_step
from triplet_train.training.watch import Figures, Watch

_LOOK_EVERY = 100  # steps, however rarely they are logged


def train(
    config: Config,
    tower: keras.Model,
    images: ImageTable,
    batches: PKBatches,
    evaluate: Callable[[], Figures] | None,
    run: RunFolder,
    devices: Devices,
    console: Console,
    *,
    over: str = "",
    resume: bool = False,
) -> Progress:
    """Train `tower` to `config.train.steps`, leaving checkpoints and logs in `run`.

    Of several workers each calls this; the chief alone evaluates and writes.

    Args:
        tower: made in `devices.distribution.scope()`.
        evaluate: figures of `tower` on held-out images; the best step is the one with the
            highest recall_at_1, and of those the highest map_at_r. Called by the chief only.
        over: how many queries and classes these figures are over, in words, for the log.
        resume: go on from the newest checkpoint instead of from step 0.

    Raises:
        RunError: the loss is not finite, hardly a step changes the tower, something cannot be
            written, or a device fails.
        Stopped: a signal (see `stopping_signals`), or stderr can no longer be written; what was
            done is saved.
    """
    settings = config.train
    with devices.distribution.scope():
        optimizer = make_optimizer(config.optimizer, settings.steps, settings.precision)
        optimizer.build(tower.trainable_variables)
    checkpoints = Checkpoints(run, settings.keep)
    warnings: list[str] = []
    progress = checkpoints.restore(tower, optimizer, warnings.append) if resume else Progress()
    if not devices.same_everywhere(progress.step):
        raise RunError(
            f"here the newest checkpoint is of step {progress.step}, on another worker of another; "
            f"all have to see the same files in {run}"
        )
    make = partial(
        make_step,
        tower,
        optimizer,
        make_strategy(config.loss),
        devices,
        seed=config.seed,
        augment=make_augmentation(config.augment),
        clip_norm=config.optimizer.clip_norm,
        microbatch=settings.microbatch,
    )
    first, last = progress.step, settings.steps
    often = settings.log_every, settings.eval_every, settings.checkpoint_every

    def remedy() -> str:
        smaller = fewer_at_a_time(config, devices.replicas)
        return f"{smaller}, or give --resume where there is more memory; {checkpoints.newest()}"

    with ExitStack() as stack:
        stack.enter_context(devices.failures_explained(remedy))
        interrupted = stack.enter_context(interruption())
        log = None
        if devices.chief:
            begun = bool(checkpoints.steps())
            if begun:
                checkpoints.put_in_order(progress)
            else:  # what a kill from now on goes back to; there is no log without a checkpoint
                checkpoints.save(tower, optimizer, progress)
            run.failed_batch.unlink(missing_ok=True)  # of the session before this one
            log = stack.enter_context(RunLog(run, first, last, console))
            for warning in warnings:
                log.say(warning)
            if begun:
                log.say(f"resuming from {run.checkpoint(first)}")
        watch = Watch(config, tower, images, checkpoints, progress, run, log)
        calls = make_calls(
            config,
            lambda xla: make(jit_compile=xla),
            images,
            batches,
            devices,
            range(first + 1, last + 1),
            lambda step: min(step - step % every + every for every in often),
            log.say if log else lambda _: None,
        )
        clock = Clock(first)
        while progress.step < last:
            with clock.waiting(), watch.of_reading(progress.step + 1):
                steps, call = next(calls)
            # Asked before the step, so that all workers hear of it and end with the same step.
            asked = interrupted() or (log.unheard if log else None)
            figures = call(asked is not None)
            progress.step = step = steps[-1]
            watch.note(steps, figures)
            stopping = interrupted() or asked
            if devices.workers > 1:  # all stop after the step in which all were told
                stopping = (asked or signal.SIGTERM) if int(figures.stopping) else None
            logging, judging, saving = (step % every == 0 or step == last for every in often)
            saving |= stopping is not None
            looking = (steps[0] - 1) // _LOOK_EVERY < step // _LOOK_EVERY
            if logging or judging or saving or looking:
                numbers = watch.look()
            if steps[0] == first + 1 and not logging:
                clock = Clock(step)  # the first step was compiled
            if log:
                log.steps_done(len(steps))
                if logging:
                    rate, wait = clock.look(step)
                    numbers |= {"images_per_second": rate * batches.size, "data_wait": wait}
                    log.training(step, numbers, (last - step) / rate)
                with clock.paused():
                    if judging and evaluate:
                        try:
                            split = config.data.eval_split
                            saving |= _judge(evaluate(), split, over, progress, log)
                        except RunError as error:  # vectors that are not finite
                            raise RunError(
                                f"step {step}: {error}; {checkpoints.newest()}"
                            ) from error
                    if saving:
                        log.flush()  # no gap before the checkpoint's step after a power cut
                        checkpoints.save(tower, optimizer, progress)
            if stopping is not None:
                file, folder = (shlex.quote(str(path)) for path in (run.config, run.path))
                raise Stopped(
                    f"stopped at step {step} of {last}, which is saved; to go on:\n"
                    f"  triplet-train --config {file} --run-dir {folder} --resume",
                    stopping,
                )
    return progress


def _judge(figures: Figures, split: str, over: str, progress: Progress, log: RunLog) -> bool:
    """Log the figures of a step; True, and `progress` brought up to date, if it is the best."""

    def merit(figures: Figures) -> tuple[float, float]:
        return figures["recall_at_1"], figures["map_at_r"]

    improved = not progress.best_figures or merit(figures) > merit(progress.best_figures)
    if improved:
        progress.best_step, progress.best_figures = progress.step, figures
    remark = (f"  ({over})" if over else "") + ("  best so far" if improved else "")
    log.evaluation(progress.step, split, figures, remark)
    return improved
