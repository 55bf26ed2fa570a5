"""What a run says while it works: metrics.jsonl, TensorBoard, a progress bar or plain lines."""

import json
import math
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import tensorflow as tf
from tqdm import tqdm

from triplet_train.console import Console, hung_up
from triplet_train.errors import RunError, Stopped
from triplet_train.files import first_line, flush, write_text
from triplet_train.run.folder import RunFolder


class RunLog:
    """Numbers go to metrics.jsonl and TensorBoard, words to stderr.

    Args:
        run: the run folder.
        start, stop: the steps of this session. What the logs tell of later steps than `start` is
            dropped: a run that is resumed does these steps again.
        console: takes the words; files are written also if it is quiet.

    Attributes:
        unheard: SIGPIPE when stderr can no longer be written, as when the reader of a pipe is gone
            or the terminal is closed.
    """

    def __init__(self, run: RunFolder, start: int, stop: int, console: Console) -> None:
        self._run = run
        self._console = console
        self.unheard: int | None = None
        self._bar = tqdm(
            initial=start,
            total=stop,
            unit=" steps",
            disable=True if console.quiet else None,  # None: shown on a terminal only
            dynamic_ncols=True,
        )
        for file in run.tensorboard.glob("events.out.tfevents.*"):
            file.unlink()
        with self._drawing():
            self._scalars = tf.summary.create_file_writer(str(run.tensorboard))
        for line in _cut(run, start):
            self._draw(line)

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()
        with self._drawing():
            self._scalars.close()

    def steps_done(self, number: int) -> None:
        self._bar.update(number)

    def say(self, message: str) -> None:
        try:
            self._console.say(message)
        except Stopped:
            self.unheard = signal.SIGPIPE

    def training(self, step: int, figures: dict[str, float], seconds_left: float) -> None:
        """Write a training line; show it behind the bar, or as a line where there is no bar.

        What is not finite, as a gradient that overflowed in float16, is null in the file.
        """
        known = {name: value if math.isfinite(value) else None for name, value in figures.items()}
        self._write({"step": step, **known})
        shown = {
            "loss": f"{figures['loss']:.4f}",
            "active": f"{figures['active_fraction']:.1%}",
            "images/s": f"{figures['images_per_second']:,.0f}",
        }
        if self._bar.disable:
            text = "  ".join(f"{name} {value}" for name, value in shown.items())
            left = tqdm.format_interval(seconds_left)
            self.say(f"step {step}/{self._bar.total}  {text}  {left} left")
        else:
            self._bar.set_postfix(shown)
            if hung_up():
                self.unheard = signal.SIGPIPE

    def evaluation(self, step: int, split: str, figures: dict[str, float], remark: str) -> None:
        self._write({"step": step, "split": split, **figures})
        self.say(
            f"step {step}  {split}: recall@1 {figures['recall_at_1']:.4f}"
            f"  MAP@R {figures['map_at_r']:.4f}{remark}"
        )

    def flush(self) -> None:
        """Have the disk take the lines that were written."""
        flush(self._run.metrics_log)

    def _write(self, line: dict[str, Any]) -> None:
        try:
            with self._run.metrics_log.open("a", encoding="utf-8") as lines:
                lines.write(_text(line))
        except OSError as error:
            raise _cannot_be_written(self._run.metrics_log, error) from error
        self._draw(line)

    def _draw(self, line: dict[str, Any]) -> None:
        group = "eval" if "split" in line else "train"
        with self._drawing(), self._scalars.as_default(step=line["step"]):
            for name, value in line.items():
                if isinstance(value, float):  # and no counts, which stay the same
                    tf.summary.scalar(f"{group}/{name}", value)

    @contextmanager
    def _drawing(self) -> Iterator[None]:
        """TensorFlow tells of a full disk as it does of full memory, and at any later line."""
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
    """Drop the lines of steps later than `step` from the file, or make it; those that are left."""
    kept = [line for line in run.logged() if line["step"] <= step]
    write_text(run.metrics_log, "".join(_text(line) for line in kept))
    return kept


def _text(line: dict[str, Any]) -> str:
    return json.dumps(line) + "\n"
