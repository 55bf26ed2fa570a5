"""The training loop: step, log, evaluate, save, and stop on request."""

import shlex
import signal
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from triplet_train.data.batches import PKBatches
from triplet_train.data.images import ImageTable
from triplet_train.errors import RunError, Stopped
from triplet_train.registry import LOWER_IS_BETTER
from triplet_train.training.averages import averaged
from triplet_train.training.calls import make_calls
from triplet_train.training.checkpoints import Checkpoints
from triplet_train.training.clock import Clock
from triplet_train.training.context import Context
from triplet_train.training.devices import fewer_at_a_time
from triplet_train.training.interruption import interruption
from triplet_train.training.intervals import Intervals
from triplet_train.training.learner import Learner
from triplet_train.training.log import RunLog
from triplet_train.training.state import Metrics, TrainingState, without_better
from triplet_train.training.watch import Watch


def train(
    context: Context,
    learner: Learner,
    images: ImageTable,
    batches: PKBatches,
    evaluate: Callable[[], Metrics] | None,
    coverage: str = "",
) -> TrainingState:
    """Train a tower to the last step, or until `train.patience` ends, with checkpoints and logs.

    Each worker calls this. Only the chief evaluates and writes.

    Args:
        learner: made for `context`; it has the tower.
        evaluate: returns metrics of the tower on held-out images. The best step has the best
            `evaluation.best_metric` and, among equals, the highest map_at_r. After
            `train.patience` evaluations in a row without a better one, training ends early.
            Called by the chief only.
        coverage: numbers of queries and classes of these metrics, in words, for the log.

    Raises:
        RunError: the loss is not finite, too few steps change the tower, something cannot be
            written, or a device fails.
        Stopped: by a signal (see `stopping_signals`), or because standard error can no longer be
            written. The last step is saved.
    """
    config, run, devices = context.config, context.run, context.devices
    tower, optimizer, averaged_weights = learner.tower, learner.optimizer, learner.averaged_weights
    checkpoints = Checkpoints(run, tower, optimizer, config.train.keep, averaged_weights)
    warnings: list[str] = []
    state = checkpoints.restore(warnings.append) if context.resume else TrainingState()
    _require_same_step(context, state)
    intervals = Intervals(config.train)
    beginning = {phase.steps[0]: phase for phase in learner.phases_after(state.step)}
    with ExitStack() as stack:
        stack.enter_context(devices.failures_explained(partial(_remedy, context, checkpoints)))
        interrupted = stack.enter_context(interruption())
        log = None
        if devices.chief:
            log = stack.enter_context(_opened_log(context, checkpoints, state, warnings))
        watch = Watch(context, tower, images, checkpoints, state, log)
        clock = Clock(state.step)
        patience = config.train.patience
        ended = state.step == intervals.last or state.out_of_patience(patience)
        while not ended:
            if phase := beginning.get(state.step + 1):
                calls = make_calls(
                    context,
                    partial(learner.step, phase.tower),
                    images,
                    batches,
                    phase.steps,
                    intervals.next,
                    log.say if log else lambda _: None,
                )
            with clock.waiting(), watch.reading(state.step + 1):
                steps, call = next(calls)
            # Read before the step, which passes it to all workers: they stop after the same step.
            asked = interrupted() or (log.hangup_signal if log else None)
            metrics = call(asked is not None)
            state.step = step = steps[-1]
            watch.note(steps, metrics)
            ended = step == intervals.last
            stopping = interrupted() or asked
            if devices.workers > 1:
                stopping = (asked or signal.SIGTERM) if int(metrics.stopping) else None
            due = intervals.due(steps)
            if due.check or stopping:
                numbers = watch.check()
            if steps[0] in beginning and not due.log:
                clock = Clock(step)  # without the compilation of a phase's first step
            if log:
                log.steps_done(len(steps))
                if due.log:
                    rate, wait = clock.rates(step)
                    numbers |= {"images_per_second": rate * batches.size, "data_wait": wait}
                    log.training(step, numbers, (intervals.last - step) / rate)
                with clock.paused():
                    is_best = False
                    if due.evaluate and evaluate:
                        with averaged(averaged_weights, optimizer):
                            is_best = _evaluate(
                                context, evaluate, coverage, checkpoints, state, log
                            )
                    ended |= state.out_of_patience(patience)
                    if due.save or is_best or stopping or ended:
                        log.flush()  # first: after a power cut the log reaches to the checkpoint
                        checkpoints.save(state)
            if patience and due.evaluate:  # only the chief has evaluated
                ended = devices.any_worker(ended)
            if stopping:
                raise Stopped(_how_to_resume(context, step), stopping)
        if log and state.step < intervals.last:
            log.say(
                f"ending at step {state.step} of {intervals.last}: "
                f"{without_better(state.waited, config.evaluation.best_metric)} "
                f"(train.patience: {patience})"
            )
    return state


def _remedy(context: Context, checkpoints: Checkpoints) -> str:
    smaller = fewer_at_a_time(context.config, context.devices.replicas)
    return f"{smaller}, or give --resume on a machine with more memory; {checkpoints.newest()}"


def _require_same_step(context: Context, state: TrainingState) -> None:
    if not context.devices.same_everywhere(state.step):
        raise RunError(
            f"the newest checkpoint is that of step {state.step} on this worker and that of "
            f"another step on another worker; all workers must see the same files in {context.run}"
        )


def _opened_log(
    context: Context, checkpoints: Checkpoints, state: TrainingState, warnings: list[str]
) -> RunLog:
    """Open the log of a run, after its first checkpoint is written or its best one repaired.

    A run with a log therefore has a checkpoint to resume from, even if it is killed.
    """
    run = context.run
    resumed = bool(checkpoints.steps())
    if resumed:
        checkpoints.repair_best(state)
    else:
        checkpoints.save(state)
    run.failed_batch.unlink(missing_ok=True)  # of the previous session
    log = RunLog(run, state.step, context.config.train.steps, context.console, context.tracking)
    for warning in warnings:
        log.warn(warning)
    if resumed:
        log.say(f"resuming from {run.checkpoint(state.step)}")
    return log


def _evaluate(
    context: Context,
    evaluate: Callable[[], Metrics],
    coverage: str,
    checkpoints: Checkpoints,
    state: TrainingState,
    log: RunLog,
) -> bool:
    """Evaluate and log a step. If it is the best, update `state` and return True."""
    try:
        metrics = evaluate()
    except RunError as error:  # vectors that are not finite
        raise RunError(f"step {state.step}: {error}; {checkpoints.newest()}") from error
    best = context.config.evaluation.best_metric
    is_best = not state.best_metrics or _merit(metrics, best) > _merit(state.best_metrics, best)
    state.waited += 1
    if is_best:
        state.best_step, state.best_metrics, state.waited = state.step, metrics, 0
    remark = (f"  ({coverage})" if coverage else "") + ("  best so far" if is_best else "")
    log.evaluation(state.step, context.config.data.eval_split, metrics, best, remark)
    return is_best


def _merit(metrics: Metrics, best: str) -> tuple[float, float]:
    """Return numbers that are higher for a better step."""
    sign = -1 if best in LOWER_IS_BETTER else 1
    return sign * metrics[best], metrics["map_at_r"]


def _how_to_resume(context: Context, step: int) -> str:
    config, folder = (shlex.quote(str(path)) for path in (context.run.config, context.run.path))
    return (
        f"stopped at step {step} of {context.config.train.steps}, which is saved; to go on:\n"
        f"  triplet-train --config {config} --run-dir {folder} --resume"
    )
