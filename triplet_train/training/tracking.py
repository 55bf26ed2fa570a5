"""Trackers of a run: programs that compare many runs. They neither end nor change the run."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from operator import methodcaller
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Literal, Protocol

from triplet_train.config import Config
from triplet_train.console import SILENT, Console
from triplet_train.errors import RequestError, Stopped
from triplet_train.files import first_line, read_json, write_json
from triplet_train.run.folder import RunFolder
from triplet_train.run.request import TrainRequest

PATIENCE = 120  # seconds that a call may take when the run has ended

Status = Literal["finished", "stopped", "failed"]
_ids = threading.Lock()  # of RunFolder.trackers


class Tracker(Protocol):
    """A run in the program of a tracker. Any method may raise any exception.

    `training/trackers/NAME.py` has `start(config, run, id)`, which returns one: the run `id`, or a
    new one if that is None or unknown. One thread makes all calls.

    Attributes:
        id: of the run in the program.
        step: the last that the program has; 0 for a new run.
        place: where the user finds it.
    """

    id: str
    step: float
    place: str

    def metrics(self, step: int, values: dict[str, float]) -> None:
        """Log metrics of a step. A step may come twice, with the same values."""

    def file(self, file: Path) -> None:
        """Copy a file of the finished run."""

    def end(self, status: Status) -> None:
        """Close the run when all is sent."""


Call = Callable[[Tracker], object]


class Tracking:
    """Passes metrics and files on to trackers. Only `end` waits for them.

    Args:
        workers: one for each tracker.
    """

    def __init__(self, workers: Sequence["_Worker"] = ()) -> None:
        self._workers = workers

    def earlier(self, lines: Sequence[dict[str, Any]]) -> None:
        """Log the lines of metrics.jsonl of earlier sessions that a tracker does not have."""

        def call(tracker: Tracker) -> None:
            for line in lines:
                if line["step"] > tracker.step:
                    _log(tracker, line)

        self._call(call)

    def metrics(self, line: dict[str, Any]) -> None:
        """Log a line of metrics.jsonl."""
        self._call(partial(_log, line=line))

    def result(self, run: RunFolder, step: int, metrics: dict[str, dict[str, Any]]) -> None:
        """Log the final metrics, by the names SPLIT/METRIC, and the final files.

        Args:
            step: the last one.
            metrics: by split.
        """
        named = {f"{split}/{key}": each[key] for split, each in metrics.items() for key in each}
        self.metrics({"step": step, **named})
        files = (run.config, run.environment, run.metrics_log, run.metrics, run.report)
        for file in filter(Path.is_file, (*files, run.embedder)):
            self._call(methodcaller("file", file))

    def end(self, status: Status) -> None:
        """Close the runs, and wait for the trackers that answer."""
        self._call(methodcaller("end", status))
        for worker in self._workers:
            worker.finish()

    def _call(self, call: Call) -> None:
        for worker in self._workers:
            worker.calls.put(call)


class _Worker(threading.Thread):
    """The thread that calls a tracker, in turn, until a call fails.

    Args:
        name: of the tracker.
        open: starts or resumes its run.
        console: for its place, and a warning if it fails.
    """

    def __init__(self, name: str, open: Callable[[], Tracker], console: Console) -> None:
        super().__init__(name=name, daemon=True)  # the process does not wait for it
        self.calls: SimpleQueue[Call | None] = SimpleQueue()
        self._open, self._console = open, console
        self._answered = 0.0
        self.start()

    def run(self) -> None:
        try:
            tracker = self._open()
            self._console.say(f"{self.name}: {tracker.place}")
            for call in iter(self.calls.get, None):
                call(tracker)
                self._answered = time.monotonic()
        except Exception as error:  # a tracker may raise anything
            self._warn(f"failed, and the run goes on without it: {first_line(error)}")

    def finish(self) -> None:
        """Wait until all calls are made, or one takes too long."""
        self.calls.put(None)
        self._answered = time.monotonic()
        self.join(1)
        if self.is_alive():
            self._console.say(f"waiting for {self.name}; all files of the run are written")
        while self.is_alive():
            self.join(1)
            if time.monotonic() - self._answered > PATIENCE:
                self._warn(f"has not answered for {PATIENCE} seconds, and misses a part of the run")
                break

    def _warn(self, problem: str) -> None:
        self._console.warn(f"{self.name} {problem}")
        self._console = SILENT  # a tracker is named once


@contextmanager
def tracking(request: TrainRequest, console: Console) -> Iterator[Tracking]:
    """Yield what passes metrics on to the trackers of a run, and close their runs at the end.

    A tracker that fails is named in a warning, and left out from there on.
    """
    console = console.lenient()
    trackers = Tracking(
        [
            _Worker(name, partial(_opened, name, request), console)
            for name in request.config.train.trackers
        ]
    )
    status: Status = "failed"
    try:
        yield trackers
        status = "finished"
    except (Stopped, KeyboardInterrupt, SystemExit):
        status = "stopped"
        raise
    finally:
        trackers.end(status)


def require_trackers(config: Config) -> None:
    """Raise RequestError if a tracker of the configuration is not installed. Imports none."""
    for name in config.train.trackers:
        found = find_spec(name)
        if found is None or found.origin is None:  # a folder such as ./wandb, of earlier runs
            raise RequestError(
                f"train.trackers: {name} is not installed; install it with: "
                f"pip install 'triplet-train[{name}]'"
            )


def _opened(name: str, request: TrainRequest) -> Tracker:
    """Start or resume the run of a tracker, and record its id in the run folder."""
    config, run = request.config, request.run
    with _ids:
        id = _recorded(run).get(name)
    plug_in = import_module(f"triplet_train.training.trackers.{name}")
    tracker: Tracker = plug_in.start(config, run, id)
    if tracker.id != id:
        with _ids:
            write_json(run.trackers, _recorded(run) | {name: tracker.id})
    return tracker


def _recorded(run: RunFolder) -> dict[str, Any]:
    return read_json(run.trackers) if run.trackers.exists() else {}


def _log(tracker: Tracker, line: dict[str, Any]) -> None:
    """Log the values that TensorBoard shows. Integers are counts, which do not change."""
    values = {key: value for key, value in line.items() if isinstance(value, float)}
    tracker.metrics(line["step"], values)
