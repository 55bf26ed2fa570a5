"""Processes of their own for parts of a bench, and what they took."""

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from machine import field

THREADS = 2
ENVIRONMENT = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "OMP_NUM_THREADS": str(THREADS),
    "OMP_WAIT_POLICY": "PASSIVE",  # beside one other busy process, torch's spinning costs tenfold
}
OUT_OF_MEMORY = ("OOM when allocating", "DefaultCPUAllocator", "MemoryError", "bad_alloc")


class OverLimit(Exception):
    """A worker took more time or memory than it was given."""


def worker(
    script: str,
    job: dict[str, Any],
    interpreter: str = sys.executable,
    seconds: float | None = None,
) -> dict[str, Any]:
    """Result of `work(**job)` of a bench, in a process of its own; see `sections.main`.

    Raises OverLimit after so many seconds, or when nine tenths of the free memory are not enough.
    """
    most = int(int(field("/proc/meminfo", "MemAvailable").split()[0]) * 2**10 * 0.9)
    print(Path(script).stem, job, file=sys.stderr)
    try:
        done = subprocess.run(
            [interpreter, script, "--worker", json.dumps(job)],
            capture_output=True,
            text=True,
            timeout=seconds,
            env=os.environ | ENVIRONMENT,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (most, most)),
        )
    except subprocess.TimeoutExpired:
        raise OverLimit(f"more than {seconds:g} s") from None
    if done.returncode < 0 or any(words in done.stderr for words in OUT_OF_MEMORY):
        raise OverLimit(f"more than {most / 2**30:.1f} GiB")
    if done.returncode:
        raise RuntimeError(f"{script} failed for {job}:\n{done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def command(name: str, *arguments: object) -> tuple[float, float]:
    """Run a command of this environment; return its seconds and its peak memory in MiB."""
    program = [str(Path(sys.executable).parent / name), *map(str, arguments)]
    print("$", name, *arguments, file=sys.stderr)
    begun = time.perf_counter()
    process = subprocess.Popen(program, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, program)
    return seconds, usage.ru_maxrss / 2**10


def training(config: str, run: Path, *settings: str) -> dict[str, float]:
    """Train as a user would; return the seconds to the metrics, and to the end with the page."""
    begun = time.time()
    changes = [part for setting in settings for part in ("--set", setting)]
    where = ["--run-dir", run, "--overwrite", "--quiet"]
    seconds, _ = command("triplet-train", "--config", config, *changes, *where)
    to_metrics = (run / "metrics.json").stat().st_mtime - begun
    return {"seconds_to_metrics": to_metrics, "seconds": seconds}


def reset_peak() -> float:
    """Lower the recorded peak memory of this process to the present; return that in MiB."""
    Path("/proc/self/clear_refs").write_text("5")
    return memory("VmRSS")


def peak() -> float:
    """Most memory of this process since `reset_peak`, in MiB."""
    return memory("VmHWM")


def memory(name: str) -> float:
    return int(field("/proc/self/status", name).split()[0]) / 2**10
