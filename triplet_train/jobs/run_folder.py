"""The folder of a run: what may be done with the one that is there, and what describes a run."""

import fcntl
import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from triplet_train import __version__
from triplet_train.config import Config, load_config, to_yaml
from triplet_train.embeddings.output import file_name
from triplet_train.errors import RequestError
from triplet_train.files import (
    RUN_FILES,
    is_partial,
    read_json,
    remove,
    remove_partial,
    write_json,
    write_text,
)
from triplet_train.training.metrics_lines import LINES
from triplet_train.training.saved_steps import CHECKPOINTS, saved_steps

CONFIG, ENVIRONMENT = RUN_FILES
FIGURES = "metrics.json"
REPORT = "report.html"
# All that a run writes; --overwrite removes these and nothing else.
ENTRIES = (
    FIGURES,
    REPORT,
    "plots",
    LINES,
    CHECKPOINTS,
    "embedder.keras",
    "embeddings",
    "tensorboard",
    "failed_batch.json",
    CONFIG,
    ENVIRONMENT,  # last, as a folder that holds nothing else is as good as empty
)
# What a run may be resumed with although it began with something else: the steps that it does are
# the same, or (devices) differ by rounding only.
_MAY_CHANGE = (
    "data.data_dir",
    "data.path",
    "data.cache",
    "train.devices",
    "train.jit_compile",
    "train.log_every",
    "train.checkpoint_every",
    "train.keep",
    "embeddings.splits",
    "embeddings.formats",
)


def embedding_file(run_dir: Path, split: str, format: str) -> Path:
    """Where a run exports a split; TensorBoard opens nothing outside the folder of its settings."""
    folder = "tensorboard" if format == "projector" else "embeddings"
    return run_dir / folder / file_name(split, format)


def embedding_files(run_dir: Path, config: Config) -> list[Path]:
    """All that a run with `config` exports."""
    return [
        embedding_file(run_dir, split, format)
        for split in config.export_splits
        for format in config.embeddings.formats
    ]


def is_run(run_dir: Path) -> bool:
    """Whether the folder is that of a run, finished or not."""
    return (run_dir / CONFIG).is_file() and (run_dir / ENVIRONMENT).is_file()


def check(run_dir: Path, config: Config, *, resume: bool, overwrite: bool) -> None:
    """Refuse what would lose or mix up a run; touches nothing.

    Raises:
        RequestError: the folder holds a run and neither flag is given; it holds something else or
            cannot be written; there is no run to resume, or its configuration had another result.
    """
    if resume and overwrite:
        raise RequestError("--resume and --overwrite exclude each other")
    there = next(path for path in (run_dir, *run_dir.absolute().parents) if os.path.lexists(path))
    if not there.exists():
        raise RequestError(f"{run_dir} cannot be made: {there} is a link to nothing that is there")
    if not there.is_dir():
        raise RequestError(f"{run_dir} cannot be made: {there} is a file, not a folder")
    if not os.access(there, os.W_OK):
        raise RequestError(f"{run_dir} cannot be written: {there} is read-only")
    # A run that was killed in its first moment leaves no more than its environment.
    occupied = run_dir.is_dir() and any(
        path.name != ENVIRONMENT and not is_partial(path) for path in run_dir.iterdir()
    )
    if occupied and not is_run(run_dir):
        raise RequestError(f"{run_dir} holds something other than a run; choose another --run-dir")
    if resume:
        if not occupied:
            raise RequestError(f"nothing to resume: there is no run in {run_dir}")
        _require_same_result(load_config(str(run_dir / CONFIG)), config, run_dir)
    elif occupied and not overwrite:
        raise RequestError(
            f"{run_dir} holds a run; give --resume to go on with it, --overwrite to replace it, "
            "or another --run-dir"
        )


@contextmanager
def opened(
    run_dir: Path,
    config: Config,
    rows: dict[str, str],
    classes: Sequence[str] = (),
    *,
    resume: bool,
    overwrite: bool,
) -> Iterator[None]:
    """The folder for this process alone; a new one with what describes the run.

    Args:
        rows: what tells the rows of each split from others; see `RunTables.fingerprints`.
        classes: names in the order of their labels.

    Raises:
        RequestError: see `check`; another process works in the folder; or a run is resumed with
            other images than it began with.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(run_dir, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RequestError(f"another process is at work in {run_dir}") from None
        check(run_dir, config, resume=resume, overwrite=overwrite)  # still so, now that it is ours
        if resume:
            _require_same_rows(run_dir, rows)
        for folder in (".", CHECKPOINTS, "embeddings", "plots", "tensorboard"):
            remove_partial(run_dir / folder)
        if overwrite:
            for entry in ENTRIES:
                remove(run_dir / entry)
        environment = run_dir / ENVIRONMENT
        if resume:  # the versions and devices of the steps to come may be others
            begun = read_json(environment)
            resumed = [*begun.get("resumed", []), _environment()]
            write_json(environment, begun | {"resumed": resumed})
        else:
            kept = {"rows_sha256": rows, "classes": list(classes)}
            write_json(environment, _environment() | kept)
        write_text(run_dir / CONFIG, to_yaml(config))
        yield
    finally:
        os.close(descriptor)  # which unlocks it


def classes_of(run_dir: Path) -> list[str] | None:
    """The names of the run's classes in the order of their labels; None where it kept none."""
    classes = read_json(run_dir / ENVIRONMENT).get("classes")
    return [str(name) for name in classes] if isinstance(classes, list) else None


def changes(run_dir: Path, config: Config) -> dict[str, str]:
    """The keys in which `config` differs from the run's, and how: `old -> new`.

    To be asked before `opened`, which makes `config` the run's.
    """
    return _changes(load_config(str(run_dir / CONFIG)), config)


def _changes(old: Config, new: Config) -> dict[str, str]:
    before, after = _flat(old), _flat(new)
    return {
        key: f"{before[key]!r} -> {after[key]!r}" for key in before if before[key] != after[key]
    }


def _require_same_result(old: Config, new: Config, run_dir: Path) -> None:
    changed = _changes(old, new)
    allowed = set(_MAY_CHANGE)
    if new.train.steps > max(saved_steps(run_dir), default=0):
        allowed.add("train.steps")
    if changed.keys() - allowed:
        lines = [
            f"{key}: {change}{'  (which alone would do)' if key in allowed else ''}"
            for key, change in changed.items()
        ]
        raise RequestError(
            "\n  ".join(
                [f"{run_dir} was started with another configuration, of another result:", *lines]
            )
        )


def _require_same_rows(run_dir: Path, rows: dict[str, str]) -> None:
    """A batch is a function of (seed, step) among the same rows only."""
    before = read_json(run_dir / ENVIRONMENT).get("rows_sha256")
    if not isinstance(before, dict):
        raise RequestError(f"{run_dir / ENVIRONMENT} is damaged: it holds no rows_sha256")
    for split, digest in rows.items():
        if before.get(split) != digest:
            raise RequestError(
                f"{run_dir} was started with other images or labels in {split} than there are now, "
                "so that going on would not give the same result; start a new run"
            )


def _flat(config: Config) -> dict[str, object]:
    sections = config.model_dump(mode="json")
    flat: dict[str, object] = {"seed": sections.pop("seed")}
    flat |= {f"{s}.{key}": value for s, keys in sections.items() for key, value in keys.items()}
    return flat


def _environment() -> dict[str, object]:
    import tensorflow as tf  # not for `check`, which answers before TensorFlow is there

    packages = ("tensorflow", "keras", "numpy", "tensorflow-datasets")
    gpus = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
    return {
        "command": shlex.join(sys.argv),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {"triplet-train": __version__} | {name: version(name) for name in packages},
        "cpu_cores": os.cpu_count(),
        "gpus": [details.get("device_name", "unknown") for details in gpus],
        "git_revision": _git_revision(),
    }


def _git_revision() -> str | None:
    """The revision of the package's checkout; None where it is installed from a wheel."""
    checkout = Path(__file__).parents[2]
    if not (checkout / ".git").exists() or not shutil.which("git"):
        return None
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=40"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout.strip() or None
