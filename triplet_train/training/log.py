"""Log of a run: metrics.jsonl, TensorBoard, trackers, and a progress bar or plain lines."""

import json
import math
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import tensorflow as tf

from triplet_train.console import Console, hung_up, tqdm
from triplet_train.errors import RunError, Stopped
from triplet_train.files import first_line, flush, write_text
from triplet_train.run.folder import RunFolder
from triplet_train.training.state import Metrics
from triplet_train.training.tracking import Tracking


class RunLog:
    """Writes metrics to metrics.jsonl, TensorBoard and trackers, and lines to standard error.

    Args:
        run: the run folder.
        start, stop: steps of this session. Entries of steps after `start` are dropped from the
            logs, since a resumed run does these steps again.
        console: for the lines. Files are written also if it is quiet.
        tracking: gets each line of metrics.jsonl.

    Attributes:
        hangup_signal: None while standard error can be written; SIGPIPE after the reader of the
            pipe or the terminal has gone.
    """

    def __init__(
        self, run: RunFolder, start: int, stop: int, console: Console, tracking: Tracking
    ) -> None:
        self._run, self._console, self._tracking = run, console, tracking
        self.hangup_signal: int | None = None
        self._bar = tqdm(
            initial=start,
            total=stop,
            unit=" steps",
            disable=True if console.quiet else None,  # None: shown on a terminal only
            dynamic_ncols=True,
        )
        for file in run.tensorboard.glob("events.out.tfevents.*"):
            file.unlink()
        with self._tensorboard_errors():
            self._events = tf.summary.create_file_writer(str(run.tensorboard))
        earlier = _cut(run, start)
        for line in earlier:
            self._add_to_tensorboard(line)
        tracking.earlier(earlier)

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()
        with self._tensorboard_errors():
            self._events.close()

    def steps_done(self, number: int) -> None:
        """Advance the bar."""
        self._bar.update(number)

    def say(self, line: str) -> None:
        """Print a line. Sets `hangup_signal` if nobody reads it."""
        self._print(self._console.say, line)

    def warn(self, message: str) -> None:
        """Print a warning. Sets `hangup_signal` if nobody reads it."""
        self._print(self._console.warn, message)

    def training(self, step: int, metrics: Metrics, seconds_left: float) -> None:
        """Write the metrics of a step. Show some behind the bar or, without a bar, in a line.

        A value that is not finite, such as a gradient that overflowed float16, is null in the file.
        """
        known = {name: value if math.isfinite(value) else None for name, value in metrics.items()}
        self._write({"step": step, **known})
        shown = {
            "loss": f"{metrics['loss']:.4f}",
            "active": f"{metrics['active_fraction']:.1%}",
            "images/s": f"{metrics['images_per_second']:,.0f}",
        }
        if self._bar.disable:
            text = "  ".join(f"{name} {value}" for name, value in shown.items())
            left = tqdm.format_interval(seconds_left)
            self.say(f"step {step}/{self._bar.total}  {text}  {left} left")
        else:
            self._bar.set_postfix(shown)
            if hung_up():
                self.hangup_signal = signal.SIGPIPE

    def evaluation(self, step: int, split: str, metrics: Metrics, best: str, remark: str) -> None:
        """Write the metrics of an evaluation. Show some in a line that ends with a remark.

        Args:
            best: name of the metric that chooses the best step.
        """
        self._write({"step": step, "split": split, **metrics})
        names = dict.fromkeys((best, "recall_at_1", "map_at_r"))
        shown = (f"{name} {metrics[name]:.4f}" for name in names)
        self.say(f"step {step}  {split}: {'  '.join(shown)}{remark}")

    def flush(self) -> None:
        """Flush metrics.jsonl to the disk."""
        flush(self._run.metrics_log)

    def _print(self, write: Callable[[str], None], text: str) -> None:
        try:
            write(text)
        except Stopped:
            self.hangup_signal = signal.SIGPIPE

    def _write(self, line: dict[str, Any]) -> None:
        file = self._run.metrics_log
        try:
            with file.open("a", encoding="utf-8") as lines:
                lines.write(_text(line))
        except OSError as error:
            raise _cannot_be_written(file, error) from error
        self._add_to_tensorboard(line)
        self._tracking.metrics(line)

    def _add_to_tensorboard(self, line: dict[str, Any]) -> None:
        group = "eval" if "split" in line else "train"
        with self._tensorboard_errors(), self._events.as_default(step=line["step"]):
            for name, value in line.items():
                if isinstance(value, float):  # integers are counts, which do not change
                    tf.summary.scalar(f"{group}/{name}", value)

    @contextmanager
    def _tensorboard_errors(self) -> Iterator[None]:
        """Raise RunError in place of TensorFlow's errors, which may come at a later line."""
        try:
            yield
        except tf.errors.OpError as error:
            raise _cannot_be_written(self._run.tensorboard, error) from error


def _cannot_be_written(path: Path, error: Exception) -> RunError:
    return RunError(
        f"{path} cannot be written: {first_line(error)}. "
        "The same command with --resume goes on from the newest checkpoint"
    )


def _cut(run: RunFolder, step: int) -> list[dict[str, Any]]:
    """Drop the lines of later steps from metrics.jsonl, or create it. Return the other lines."""
    kept = [line for line in run.logged() if line["step"] <= step]
    write_text(run.metrics_log, "".join(map(_text, kept)))
    return kept


def _text(line: dict[str, Any]) -> str:
    return json.dumps(line) + "\n"
