"""Description of a measurement: date, commit, machine and versions."""

import datetime
import os
import platform
import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("tensorflow", "keras", "numpy")


def stamp() -> str:
    """Line for the top of a page."""
    gibibytes = int(field("/proc/meminfo", "MemTotal").split()[0]) / 2**20
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{datetime.date.today()}, commit {commit()}; {field('/proc/cpuinfo', 'model name')}, "
        f"{os.cpu_count()} cores, {gibibytes:.0f} GiB; Python {platform.python_version()}, "
        f"{versions}"
    )


def commit() -> str:
    """Commit of this checkout; `-dirty` if tracked files outside docs/ have changed since."""
    if not shutil.which("git"):
        return "unknown"
    root = Path(__file__).parents[2]

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True)
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("-dirty" if changed else "")


def gpu_driver() -> str:
    """Version of NVIDIA's kernel module."""
    file = Path("/proc/driver/nvidia/version")
    found = re.search(r"\d+\.\d[\d.]*", file.read_text()) if file.exists() else None
    return found[0] if found else "unknown"


def field(file: str, name: str) -> str:
    """Value of the first `name: value` line of a file under /proc."""
    lines = (line.partition(":") for line in Path(file).read_text().splitlines())
    return next((value.strip() for key, _, value in lines if key.strip() == name), "unknown")
