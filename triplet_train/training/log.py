"""What a run says while it works: metrics.jsonl, TensorBoard, a progress bar or plain lines."""

import json
import math
import sys
from pathlib import Path
from types import TracebackType

import tensorflow as tf
from tqdm import tqdm

from triplet_train.files import write_text


class RunLog:
    """Numbers go to metrics.jsonl and TensorBoard, words to stderr.

    Args:
        run_dir: the run folder.
        start, stop: the steps of this session, for the progress bar.
        quiet: say nothing; files are written all the same.
    """

    def __init__(self, run_dir: Path, start: int, stop: int, quiet: bool) -> None:
        self._lines = _lines_until(run_dir / "metrics.jsonl", start).open("a", encoding="utf-8")
        self._scalars = tf.summary.create_file_writer(str(run_dir / "tensorboard"))
        self._quiet = quiet
        self._bar = tqdm(
            initial=start,
            total=stop,
            unit=" steps",
            disable=True if quiet else None,  # None: shown on a terminal only
            dynamic_ncols=True,
        )

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()
        self._lines.close()
        self._scalars.close()

    def step_done(self) -> None:
        self._bar.update()

    def write(self, group: str, step: int, figures: dict[str, float | str]) -> None:
        """One line {"step": ..., **figures} and one scalar `group/name` per number."""
        self._lines.write(json.dumps({"step": step, **figures}) + "\n")
        self._lines.flush()
        with self._scalars.as_default(step=step):
            for name, value in figures.items():
                if not isinstance(value, str):
                    tf.summary.scalar(f"{group}/{name}", value)

    def say(self, message: str) -> None:
        if not self._quiet:
            self._bar.write(message, file=sys.stderr)

    def training(self, step: int, figures: dict[str, float], seconds_left: float) -> None:
        """Write a training line; show it behind the bar, or as a line where there is no bar."""
        self.write("train", step, dict(figures))
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


def _lines_until(path: Path, step: int) -> Path:
    """`path` without the lines of later steps, which a run that is resumed will write again."""
    if path.exists():
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if _step_of(line) <= step]
        write_text(path, "".join(kept))
    return path


def _step_of(line: str) -> float:
    """The step that a line tells of; infinite where a kill has cut the line short."""
    try:
        return json.loads(line)["step"] if line.endswith("\n") else math.inf
    except ValueError:
        return math.inf
