"""The loop around the step: log, evaluate, checkpoint, stop when asked to."""

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import keras
import numpy as np
import tensorflow as tf

from triplet_train.config import Config
from triplet_train.data.batches import PKBatches
from triplet_train.data.pipeline import training_batches
from triplet_train.data.sources import ImageSet
from triplet_train.errors import RunError, Stopped
from triplet_train.losses.strategies import make_strategy
from triplet_train.training.checkpoints import Checkpoints, Progress
from triplet_train.training.log import RunLog
from triplet_train.training.optimizers import make_optimizer
from triplet_train.training.step import make_step

Figures = dict[str, float]


def train(
    config: Config,
    tower: keras.Model,
    images: ImageSet,
    batches: PKBatches,
    evaluate: Callable[[], Figures],
    run_dir: Path,
    *,
    resume: bool = False,
    quiet: bool = False,
) -> Progress:
    """Train `tower` to `config.train.steps`, leaving checkpoints and logs in `run_dir`.

    Args:
        evaluate: figures of `tower` on held-out images; the best step is the one with the
            highest recall_at_1, and of those the highest map_at_r.
        resume: go on from the newest checkpoint instead of from step 0.

    Raises:
        RunError: the loss is not finite.
        Stopped: Ctrl-C or SIGTERM; what was done is saved.
    """
    settings = config.train
    optimizer = make_optimizer(config.optimizer, settings.steps)
    checkpoints = Checkpoints(run_dir, settings.keep)
    progress = checkpoints.restore(tower, optimizer) if resume else Progress()
    step_function = make_step(
        tower,
        optimizer,
        make_strategy(config.loss),
        seed=config.seed,
        jit_compile=settings.jit_compile,
    )
    first, last = progress.step, settings.steps
    data = training_batches(images, batches, first, last)
    with RunLog(run_dir, first, last, quiet) as log, _interruption() as interrupted:
        clock = _Clock(first)
        for step, (pixels, labels) in enumerate(data, start=first + 1):
            statistics = step_function(tf.constant(step - 1), pixels, labels)
            progress.step = step
            log.step_done()
            stopping = interrupted()
            logging, judging, saving = (
                step % every == 0 or step == last
                for every in (settings.log_every, settings.eval_every, settings.checkpoint_every)
            )
            saving |= stopping is not None
            if logging or judging or saving:
                _require_finite(float(statistics.loss), tower, step, checkpoints)
            if step == first + 1 and not logging:
                clock = _Clock(step)  # the first step was compiled
            if logging:
                figures = {name: float(v) for name, v in statistics._asdict().items()}
                rate = clock.steps_per_second(step)
                figures["images_per_second"] = rate * len(labels)
                log.training(step, figures, (last - step) / rate)
            with clock.paused():
                if judging:
                    saving |= _judge(evaluate(), config.data.eval_split, progress, log)
                if saving:
                    checkpoints.save(tower, optimizer, progress)
            if stopping is not None:
                raise Stopped(
                    f"stopped at step {step} of {last}, which is saved in {run_dir}; "
                    "the same command with --resume goes on",
                    stopping,
                )
    return progress


def _judge(figures: Figures, split: str, progress: Progress, log: RunLog) -> bool:
    """Log the figures of a step; True, and `progress` brought up to date, if it is the best."""
    log.write("eval", progress.step, {"split": split, **figures})

    def merit(figures: Figures) -> tuple[float, float]:
        return figures["recall_at_1"], figures["map_at_r"]

    improved = not progress.best_figures or merit(figures) > merit(progress.best_figures)
    if improved:
        progress.best_step, progress.best_figures = progress.step, figures
    log.say(
        f"step {progress.step}  {split}: recall@1 {figures['recall_at_1']:.4f}"
        f"  MAP@R {figures['map_at_r']:.4f}{'  best so far' if improved else ''}"
    )
    return improved


def _require_finite(loss: float, tower: keras.Model, step: int, checkpoints: Checkpoints) -> None:
    """The loss tells of the weights before the step's update, so look at those after it too."""
    if math.isfinite(loss) and all(np.isfinite(weight).all() for weight in tower.get_weights()):
        return
    steps = checkpoints.steps()
    good = f"the last good checkpoint is {checkpoints.path(steps[-1])}" if steps else "none saved"
    raise RunError(
        f"the loss or a weight is no longer finite at step {step} (loss {loss}); {good}. "
        "Try a smaller optimizer.learning_rate or set optimizer.clip_norm"
    )


class _Clock:
    """Steps per second since the last look, time out for evaluation and saving taken off."""

    def __init__(self, step: int) -> None:
        self._step, self._start = step, time.perf_counter()

    def steps_per_second(self, step: int) -> float:
        now = time.perf_counter()
        rate = (step - self._step) / (now - self._start)
        self._step, self._start = step, now
        return rate

    @contextmanager
    def paused(self) -> Iterator[None]:
        paused = time.perf_counter()
        yield
        self._start += time.perf_counter() - paused


@contextmanager
def _interruption() -> Iterator[Callable[[], int | None]]:
    """Tells which signal has asked to stop, if any; the second of its kind acts as usual."""
    asked: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def on_signal(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, on_signal)
    try:
        yield lambda: asked[0] if asked else None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
