"""Paths of a run. All other modules take them from here."""

import json
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from triplet_train.files import naming, read_json
from triplet_train.registry import FORMATS

_RUN_FILES = ("config.yaml", "environment.json")  # a folder with both is a run folder
EMBEDDER = "embedder.keras"
_REPORT = "report.html"
_CHECKPOINTS = "checkpoints"


class CheckpointFolder:
    """Paths of a checkpoint.

    Attributes:
        path: the folder.
        embedder: the tower, a Keras model.
        optimizer: arrays of the optimizer's variables by number, npz; with `optimizer.ema` also the
            weights, since the tower has their averages.
        state: the fields of `TrainingState`, JSON.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.embedder = path / EMBEDDER
        self.optimizer = path / "optimizer.npz"
        self.state = path / "state.json"

    def __str__(self) -> str:
        return str(self.path)


class RunFolder:
    """Paths of a run.

    Attributes:
        path: the folder.
        config: the resolved configuration, YAML.
        environment: versions, devices, classes and digests of the images, JSON.
        metrics_log: metrics during training, a JSON object per line.
        metrics: metrics of the exported splits, JSON.
        report, plots: the page and its pictures.
        checkpoints: a folder for each saved step; see `checkpoint`.
        best: a link to the best checkpoint.
        embedder: a copy of the best tower.
        embeddings, tensorboard: the exports; see `embedding_file`.
        trackers: id of the run in each tracker, JSON.
        failed_batch: ids of the images of a batch that ended the run, JSON.
        lock: exists while a process uses the folder, and remains if that process is killed.
        entries: all files and folders that a run writes. --overwrite removes them in this order.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config, self.environment = (path / name for name in _RUN_FILES)
        self.metrics_log = path / "metrics.jsonl"
        self.metrics = path / "metrics.json"
        self.report = path / _REPORT
        self.plots = plots_folder(self.report)
        self.checkpoints = path / _CHECKPOINTS
        self.best = self.checkpoints / "best"
        self.embedder = path / EMBEDDER
        self.embeddings = path / "embeddings"
        self.tensorboard = path / "tensorboard"
        self.trackers = path / "trackers.json"
        self.failed_batch = path / "failed_batch.json"
        self.lock = path / ".lock"
        self.entries = (
            self.metrics,
            self.report,
            self.plots,
            self.metrics_log,
            self.checkpoints,
            self.embedder,
            self.embeddings,
            self.tensorboard,
            self.trackers,
            self.failed_batch,
            self.config,
            self.environment,  # last, because a folder that holds nothing else counts as empty
        )

    def __str__(self) -> str:
        return str(self.path)

    def is_run(self) -> bool:
        """Return True if the folder holds a run, finished or not."""
        return self.config.is_file() and self.environment.is_file()

    def checkpoint(self, step: int) -> CheckpointFolder:
        """Return the checkpoint of a step, which need not exist."""
        return CheckpointFolder(self.checkpoints / f"step_{step:08d}")

    def saved_steps(self) -> list[int]:
        """Return the steps of all checkpoints, ascending, including those that cannot be read."""
        folders = self.checkpoints.glob("step_" + "[0-9]" * 8)
        return sorted(int(folder.name.removeprefix("step_")) for folder in folders)

    def embedding_file(self, split: str, format: str) -> Path:
        """Return the file, or folder, to which the run exports a split."""
        folder = self.tensorboard if FORMATS[format].in_tensorboard else self.embeddings
        return folder / embedding_name(split, format)

    def classes(self) -> list[str] | None:
        """Return the names of the classes in the order of their labels; None if unknown."""
        classes = read_json(self.environment).get("classes")
        return [str(name) for name in classes] if isinstance(classes, list) else None

    def logged(self) -> Iterator[dict[str, Any]]:
        """Yield the lines of `metrics_log`; none if there is no file.

        Lines that a killed process cut short are left out.
        """
        file = self.metrics_log
        with naming(file):
            text = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
        for line in text.splitlines():
            with suppress(ValueError):
                content = json.loads(line)
                if isinstance(content, dict) and isinstance(content.get("step"), int):
                    yield content


def plots_folder(page: Path) -> Path:
    """Return the folder of the plots of a page: plots/ for report.html, NAME_plots/ for NAME.html.

    >>> plots_folder(Path("run/report.html")).name, plots_folder(Path("train.html")).name
    ('plots', 'train_plots')
    """
    return page.with_name("plots" if page.name == _REPORT else f"{page.stem}_plots")


def is_written(files: Collection[str]) -> bool:
    """Return True if these file names show that a command wrote the folder.

    Searches for images skip such folders.

    >>> is_written(["config.yaml", "environment.json", "report.html"]), is_written(["config.yaml"])
    (True, False)
    """
    exported = any(format.folder and format.entries[0] in files for format in FORMATS.values())
    return exported or all(name in files for name in _RUN_FILES)


def run_of(tower: Path) -> RunFolder | None:
    """Return the run that a tower file belongs to; None if there is none.

    The file is the best tower of the run, or lies in one of its checkpoints.

    >>> run_of(Path("/embedder.keras"))
    """
    if tower.name != EMBEDDER:
        return None
    folders = [tower.parent]
    checkpoints = tower.resolve().parent.parent
    if checkpoints.name == _CHECKPOINTS:
        folders.append(checkpoints.parent)
    return next((run for run in map(RunFolder, folders) if run.is_run()), None)


def embedding_name(split: str, format: str) -> str:
    """Return the name of the file, or folder, with the embeddings of a split.

    The name has no slash, and does not begin with a dot (hidden) or a dash (read as an option).

    >>> embedding_name("train[:90%]", "parquet"), embedding_name("-10%", "npz")
    ('train_-90%.parquet', 'last-10%.npz')
    """
    stem = re.sub("^-", "last-", split)
    stem = re.sub(r"[^\w.%+-]+", "", stem.replace("[", "_").replace(":", "-"))
    return f"{stem.lstrip('-.') or 'all'}.{format}"
