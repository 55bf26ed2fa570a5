"""The libraries that the benchmarks compare: their environments, their processes, the machine.

Imported by the workers too, so that it needs nothing but Python.
"""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

THREADS = 2
LIBRARIES = {"ours": "ours", "tfa": "TFA", "pml": "PML"}
PACKAGES = {
    "ours": ("triplet-train", "tensorflow"),
    "tfa": ("tensorflow-addons", "tensorflow"),
    "pml": ("pytorch-metric-learning", "torch"),
}
REQUIREMENTS = {
    "tfa": ("tensorflow==2.15.1", "tensorflow-addons==0.23.0", "numpy<2"),
    "pml": ("torch==2.13.0", "pytorch-metric-learning==2.9.0"),
}
WORKER_ENVIRONMENT = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "OMP_NUM_THREADS": str(THREADS),
    "OMP_WAIT_POLICY": "PASSIVE",  # one other busy process, and torch's spinning costs it tenfold
}


def make_environment(library: str, envs: Path, python: str) -> str:
    """The interpreter that has `library`, installed first where it is missing."""
    if library == "ours":
        return sys.executable
    folder, requirements = envs / library, REQUIREMENTS[library]
    interpreter, done = str(folder / "bin" / "python"), folder / "installed.txt"
    if not done.exists() or done.read_text() != "\n".join(requirements):
        print(f"making {folder}: {' '.join(requirements)}", file=sys.stderr)
        subprocess.run([python, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([interpreter, "-m", "pip", "install", "-q", *requirements], check=True)
        done.write_text("\n".join(requirements))
    return interpreter


def package_versions(library: str) -> str:
    """Those of the environment that this runs in."""
    return ", ".join(f"{name} {version(name)}" for name in PACKAGES[library])


def machine() -> str:
    return f"{read_field('/proc/cpuinfo', 'model name')}, {os.cpu_count()} cores"


def reset_peak_memory() -> int:
    """Lower the recorded peak to the present resident memory, and return that in KiB."""
    Path("/proc/self/clear_refs").write_text("5")
    return memory_in_kib("VmRSS")


def memory_in_kib(field: str) -> int:
    return int(read_field("/proc/self/status", field).split()[0])


def read_field(path: str, field: str) -> str:
    """The value of the first `field: value` line of a file under /proc."""
    lines = (line.partition(":") for line in Path(path).read_text().splitlines())
    return next((value.strip() for name, _, value in lines if name.strip() == field), "unknown")
