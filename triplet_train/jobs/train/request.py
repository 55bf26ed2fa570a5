"""Rules of a request to triplet-train, checked without TensorFlow."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from triplet_train.config import as_overrides, config_name, load_config
from triplet_train.errors import RequestError
from triplet_train.files import refuse_file
from triplet_train.jobs.train.parent import parent_needed
from triplet_train.jobs.train.pretrained import require_pretrained
from triplet_train.run.folder import RunFolder
from triplet_train.run.guard import check
from triplet_train.run.request import TrainRequest
from triplet_train.training.tracking import require_trackers


def make_request(
    config: str | Mapping[str, Any],
    overrides: Sequence[str] = (),
    *,
    run_dir: Path | None = None,
    data_dir: Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> TrainRequest:
    """Return the request that the options of triplet-train describe.

    Args:
        config: a YAML file, the name of a shipped configuration, or the configuration itself.
        overrides: of keys, as in loss.margin=0.3.
        run_dir: folder of the run; None: named after the configuration, in runs/.
        data_dir: of TFDS; overrides data.data_dir.

    Raises:
        RequestError: the configuration is wrong, or see `check`, `require_pretrained`,
            `require_trackers` and `parent_of`.
    """
    overrides = list(overrides)
    if data_dir is not None:
        overrides += as_overrides({"data.data_dir": data_dir.absolute()})
    loaded = load_config(config, overrides)
    run = RunFolder(run_dir or Path("runs") / config_name(config))
    request = TrainRequest(loaded, run, resume, overwrite)
    check(request)
    require_pretrained(request)
    require_trackers(loaded)
    parent_needed(request)
    return request


def check_preview(preview: Path, *, dry_run: bool, overwrite: bool) -> None:
    """Raise RequestError if no preview can be written to this file."""
    if not dry_run:
        raise RequestError("--preview needs --dry-run")
    if preview.suffix != ".png":
        raise RequestError(f"--preview {preview}: the name must end in .png")
    refuse_file(preview, overwrite=overwrite)
