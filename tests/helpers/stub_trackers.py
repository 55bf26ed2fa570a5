"""Trackers that record their calls, in place of those of programs."""

import sys
from types import ModuleType


class StubTracker:
    """A tracker that records its calls, and raises at the one named `fails`."""

    def __init__(self, fails=None, known=(), step=0):
        self.calls, self.fails, self.known, self.step = [], fails, known, step

    def start(self, config, run, id):
        self.id = id if id in self.known else "new"
        self.place = f"run {self.id}"
        self._record("start", id)
        return self

    def metrics(self, step, values):
        self._record("metrics", step, values)

    def file(self, file):
        self._record("file", file.name)

    def end(self, status):
        self._record("end", status)

    def _record(self, call, *arguments):
        if call == self.fails:
            raise RuntimeError(f"no {call}\nin the second line")
        self.calls.append((call, *arguments))


def put_in_place(monkeypatch, **trackers):
    """Let `trackers` stand for the plug-ins of these names."""
    for name, tracker in trackers.items():
        module = ModuleType(name)
        module.start = tracker.start
        monkeypatch.setitem(sys.modules, f"triplet_train.training.trackers.{name}", module)
