"""environment.json: versions, devices and images of a run."""

import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from triplet_train import __version__
from triplet_train.errors import RequestError
from triplet_train.files import read_json, write_json
from triplet_train.run.folder import RunFolder

_PACKAGES = ("tensorflow", "keras", "numpy", "tensorflow-datasets")


def record_start(
    run: RunFolder,
    digests: dict[str, str],
    classes: Sequence[str],
    gpus: Sequence[str],
    pretrained: Mapping[str, str | None] | None = None,
) -> None:
    """Write environment.json of a new run.

    Args:
        digests: of the images and labels by the key of their split.
        classes: names in the order of their labels.
        gpus: names of the devices.
        pretrained: SHA-256 of the files that the weights come from, by key.
    """
    images = {"rows_sha256": digests, "classes": list(classes)}
    weights = {"pretrained_sha256": dict(pretrained)} if pretrained else {}
    write_json(run.environment, _environment(gpus) | images | weights)


def record_resumption(run: RunFolder, gpus: Sequence[str]) -> None:
    """Add versions and devices, which may differ from those before, to environment.json."""
    start = read_json(run.environment)
    resumed = [*start.get("resumed", []), _environment(gpus)]
    write_json(run.environment, start | {"resumed": resumed})


def recorded_digests(run: RunFolder) -> dict[str, str]:
    """Return the digests given to `record_start`. Raises RequestError if the file is damaged."""
    digests = read_json(run.environment).get("rows_sha256")
    if not isinstance(digests, dict):
        raise RequestError(
            f"{run.environment} is damaged: it has no rows_sha256. Restore the file, or start "
            "again with --overwrite"
        )
    return digests


def recorded_parent(run: RunFolder) -> str | None:
    """Return the SHA-256 of the tower that the run started from, if it was an earlier one."""
    sha256: str | None = read_json(run.environment).get("pretrained_sha256", {}).get("model.init")
    return sha256


def _environment(gpus: Sequence[str]) -> dict[str, object]:
    return {
        "command": shlex.join(sys.argv),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {"triplet-train": __version__} | {name: version(name) for name in _PACKAGES},
        "cpu_cores": os.cpu_count(),
        "gpus": list(gpus),
        "git_revision": _git_revision(),
    }


def _git_revision() -> str | None:
    """Return the revision of the package's checkout; None if it is installed from a wheel."""
    checkout = Path(__file__).parents[2]
    if not (checkout / ".git").exists() or not shutil.which("git"):
        return None
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=40"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout.strip() or None
