"""Checks that refuse a request that would overwrite or mix up results."""

import os

from triplet_train.config import by_key, load_config
from triplet_train.errors import RequestError
from triplet_train.files import is_partial
from triplet_train.run.folder import RunFolder
from triplet_train.run.provenance import recorded_digests, recorded_parent
from triplet_train.run.request import TrainRequest

# Keys that may change when a run is resumed: the steps and the choice of the best one stay the
# same, or (devices, jit_compile) differ by rounding only.
_MAY_CHANGE = (
    "data.data_dir",
    "data.path",
    "data.root",
    "data.cache",
    "train.devices",
    "train.jit_compile",
    "train.log_every",
    "train.checkpoint_every",
    "train.keep",
    "train.patience",
    "train.trackers",
    "evaluation.recall_at",
    "evaluation.precision_at",
    "evaluation.false_accept_rates",
    "embeddings.splits",
    "embeddings.formats",
)


def check(request: TrainRequest) -> None:
    """Refuse a request that would lose or mix up a run. Writes nothing.

    Raises:
        RequestError: the folder holds a run and neither flag is given; it holds something else or
            cannot be written; or there is no run to resume, or its configuration gives another
            result.
    """
    run, resume = request.run, request.resume
    if resume and request.overwrite:
        raise RequestError("give --resume or --overwrite, not both")
    _require_place(run)
    is_run, is_empty = run.is_run(), _is_empty(run)
    if not is_empty and not is_run:
        raise RequestError(f"{run} is not empty and holds no run; choose another --run-dir")
    if resume and is_empty:
        raise RequestError(
            f"nothing to resume: {run} holds no run; check --run-dir, or leave out --resume to "
            "start one"
        )
    if resume:
        _require_same_result(request)
    elif is_run and not request.overwrite:
        raise RequestError(
            f"{run} holds a run; give --resume to continue it, --overwrite to replace it, "
            "or another --run-dir"
        )


def changes(request: TrainRequest) -> dict[str, str]:
    """Return the keys of the run's configuration that the request changes, with `old -> new`."""
    before, after = by_key(load_config(str(request.run.config))), by_key(request.config)
    return {
        key: f"{before[key]!r} -> {after[key]!r}" for key in before if before[key] != after[key]
    }


def require_same_images(run: RunFolder, digests: dict[str, str]) -> None:
    """Raise RequestError if the images or labels are not those that the run started with.

    A batch is a function of (seed, step) only for the same images in the same order.

    Args:
        digests: as given to `record_start`.
    """
    before = recorded_digests(run)
    for split, digest in digests.items():
        if before.get(split) != digest:
            raise RequestError(
                f"{run} was started with other images or labels in {split}, which cannot change on "
                "--resume. Restore them, or start a new run with another --run-dir"
            )


def require_same_parent(run: RunFolder, sha256: str | None) -> None:
    """Raise RequestError if a run starts again from another tower than the one it started from.

    Args:
        sha256: of the tower of model.init; None if the run goes on from a checkpoint of its own.
    """
    if sha256 and sha256 != recorded_parent(run):
        raise RequestError(
            f"{run} was started from another tower than model.init has now, and has no checkpoint "
            "yet; give --overwrite to start from this one"
        )


def _require_place(run: RunFolder) -> None:
    path = run.path
    existing = next(each for each in (path, *path.absolute().parents) if os.path.lexists(each))
    if not existing.exists():
        raise RequestError(f"{run} cannot be created: {existing} is a broken link")
    if not existing.is_dir():
        raise RequestError(f"{run} cannot be created: {existing} is a file, not a folder")
    if not os.access(existing, os.W_OK):
        raise RequestError(f"cannot write {run}: no permission to write in {existing}")


def _is_empty(run: RunFolder) -> bool:
    """Return True if the folder is missing, empty, or of a run that was killed as it started."""
    early = (run.environment.name, run.lock.name)
    return not run.path.is_dir() or all(
        path.name in early or is_partial(path) for path in run.path.iterdir()
    )


def _require_same_result(request: TrainRequest) -> None:
    allowed = set(_MAY_CHANGE)
    if request.config.train.steps > max(request.run.saved_steps(), default=0):
        allowed.add("train.steps")
    changed = changes(request)
    if changed.keys() - allowed:
        lines = [
            f"{key}: {change}{'  (may change)' if key in allowed else ''}"
            for key, change in changed.items()
        ]
        heading = (
            f"{request.run} was started with other settings, which cannot change on --resume. Undo "
            "these changes, or start a new run with another --run-dir:"
        )
        raise RequestError("\n  ".join([heading, *lines]))
