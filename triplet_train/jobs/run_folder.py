"""The folder of a run: what may be done with the one that is there, and what describes a run."""

import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from triplet_train.config import Config, load_config, to_yaml
from triplet_train.errors import RequestError
from triplet_train.files import write_text

CONFIG = "config.yaml"
ENVIRONMENT = "environment.json"


def is_run(run_dir: Path) -> bool:
    return (run_dir / CONFIG).is_file() and (run_dir / ENVIRONMENT).is_file()


def check(run_dir: Path, config: Config, *, resume: bool, overwrite: bool) -> None:
    """Refuse what would lose or mix up a run; touches nothing.

    Raises:
        RequestError: the folder holds a run and neither flag is given; it holds something else;
            there is no run to resume; or the run to resume had another configuration.
    """
    if resume and overwrite:
        raise RequestError("--resume and --overwrite exclude each other")
    if run_dir.exists() and not run_dir.is_dir():
        raise RequestError(f"{run_dir} is a file, not a folder")
    occupied = run_dir.is_dir() and any(run_dir.iterdir())
    if occupied and not is_run(run_dir):
        raise RequestError(f"{run_dir} holds something other than a run; choose another --run-dir")
    if resume:
        if not occupied:
            raise RequestError(f"nothing to resume: there is no run in {run_dir}")
        _require_same(load_config(str(run_dir / CONFIG)), config, run_dir)
    elif occupied and not overwrite:
        raise RequestError(
            f"{run_dir} holds a run; give --resume to go on with it, --overwrite to replace it, "
            "or another --run-dir"
        )


def create(run_dir: Path, config: Config, *, overwrite: bool) -> None:
    """Make the folder with what describes the run: config.yaml and environment.json."""
    if overwrite and is_run(run_dir):
        shutil.rmtree(run_dir)
    run_dir.mkdir(parents=True, exist_ok=True)
    write_text(run_dir / ENVIRONMENT, json.dumps(_environment(), indent=1) + "\n")
    write_text(run_dir / CONFIG, to_yaml(config))


def _require_same(old: Config, new: Config, run_dir: Path) -> None:
    before, after = _flat(old), _flat(new)
    changed = [
        f"{key}: {before[key]!r} -> {after[key]!r}" for key in before if before[key] != after[key]
    ]
    if changed:
        raise RequestError(
            "\n  ".join([f"{run_dir} was started with another configuration:", *changed])
        )


def _flat(config: Config) -> dict[str, object]:
    sections = config.model_dump(mode="json")
    flat: dict[str, object] = {"seed": sections.pop("seed")}
    flat |= {f"{s}.{key}": value for s, keys in sections.items() for key, value in keys.items()}
    del flat["data.data_dir"]  # where the set lies does not change what is in it
    return flat


def _environment() -> dict[str, object]:
    import tensorflow as tf

    packages = ["triplet-train", "tensorflow", "keras", "numpy", "tensorflow-datasets"]
    gpus = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
    return {
        "command": shlex.join(sys.argv),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: version(name) for name in packages},
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
