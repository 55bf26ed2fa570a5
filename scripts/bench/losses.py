"""Time and memory of the triplet losses beside tensorflow_addons and pytorch-metric-learning.

    python scripts/bench/losses.py --output losses.md
    python scripts/bench/losses.py --sizes 32 128 512 --losses hard --libraries ours tfa

Value and gradient with respect to 64-d unit vectors, L2, margin 1, two CPU threads. A cell of the
table is the median of --rounds processes, each of which gives the median of its calls; a round goes
through all cells, so that a slow minute of the machine spoils none of them alone. Calls of more
than 20 ms are measured in the first round only. The other libraries get virtual environments under
--envs, made by pip on the first run (3 GB) and reused after it; tensorflow_addons needs Python 3.9
to 3.11, see --env-python. Needs Linux and a machine with nothing else to do. Ends with 1 where
libraries with the same loss disagree.
"""

import argparse
import datetime
import importlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from libraries import (
    LIBRARIES,
    THREADS,
    WORKER_ENVIRONMENT,
    machine,
    make_environment,
    memory_in_kib,
    package_versions,
    read_field,
    reset_peak_memory,
)
from pages import markdown_table

DIMENSIONS, MARGIN, CLASSES, IMAGES_PER_CLASS = 64, 1.0, 10, 4
WARM_UP_BATCH, WARM_UP_CALLS, WARM_UP_SECONDS, TIMED_SECONDS = 16, 3, 1.0, 5.0
ONE_ROUND_MILLISECONDS = 20.0
SIZES = (32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)
LAYOUTS = {
    "classes": f"{CLASSES} classes at random",
    "pk": f"P x K with K = {IMAGES_PER_CLASS}",
}
LOSSES = {"semi_hard": "semi-hard", "hard": "hard", "batch_all": "batch-all"}
# PML's semi-hard keeps every negative within the margin, not only the nearest: another loss.
SAME_LOSS = {("tfa", "semi_hard"), ("tfa", "hard"), ("pml", "hard"), ("pml", "batch_all")}
TOLERANCE = 1e-5
OUT_OF_MEMORY = ("OOM when allocating", "DefaultCPUAllocator", "MemoryError", "bad_alloc")

Run = Callable[[], float]
Bind = Callable[[Any, Any], Run]


@dataclass(frozen=True)
class Cell:
    """What one process measures."""

    layout: str
    loss: str
    size: int
    contender: str


@dataclass(frozen=True)
class Measurement:
    """Median time of a call, peak memory less that before the calls, loss, package versions."""

    milliseconds: float
    mebibytes: float
    value: float
    packages: str

    @classmethod
    def median(cls, rounds: list["Measurement"]) -> "Measurement":
        return replace(
            rounds[0],
            milliseconds=statistics.median(each.milliseconds for each in rounds),
            mebibytes=statistics.median(each.mebibytes for each in rounds),
        )


Results = dict[Cell, Measurement]


# The worker: runs in the environment of its library and imports no other.


def measure(cell: Cell, repeats: int) -> Measurement:
    """Load and trace the code on a small batch, so that it is not counted, then measure."""
    bind = bind_pml(cell.loss) if cell.contender == "pml" else bind_tensorflow(cell)
    bind(*make_batch(cell.layout, WARM_UP_BATCH))()
    run = bind(*make_batch(cell.layout, cell.size))
    before = reset_peak_memory()
    call_times(run, WARM_UP_CALLS, WARM_UP_SECONDS)
    times = call_times(run, repeats, TIMED_SECONDS)
    extra = memory_in_kib("VmHWM") - before
    packages = package_versions(cell.contender)
    return Measurement(statistics.median(times) * 1e3, extra / 1024, run(), packages)


def make_batch(layout: str, size: int) -> tuple[Any, Any]:
    """Labels int32 [size], at least two of each, and unit vectors float32 [size, DIMENSIONS]."""
    import numpy as np

    random = np.random.RandomState(size)  # unlike default_rng, the same in every NumPy
    embeddings = random.normal(size=(size, DIMENSIONS))
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    if layout == "pk":
        labels = np.arange(size) // IMAGES_PER_CLASS
    else:
        # By design, the libraries differ on anchors without a positive.
        classes = min(CLASSES, size // 2)
        rest = random.randint(classes, size=size - 2 * classes)
        labels = random.permutation(np.concatenate([np.arange(classes)] * 2 + [rest]))
    return labels.astype(np.int32), embeddings.astype(np.float32)


def bind_tensorflow(cell: Cell) -> Bind:
    """Ours and tensorflow_addons, whose functions have the same names."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    package = "triplet_train" if cell.contender == "ours" else "tensorflow_addons"
    name = f"triplet_{cell.loss.replace('semi_hard', 'semihard')}_loss"
    loss_function = getattr(importlib.import_module(f"{package}.losses"), name)

    # For any batch size, so that the graph of the small batch serves the measured one.
    signature = tf.TensorSpec([None], tf.int32), tf.TensorSpec([None, DIMENSIONS], tf.float32)

    @tf.function(input_signature=signature)
    def value_and_gradient(labels: tf.Tensor, embeddings: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(embeddings)
            value = loss_function(labels, embeddings, margin=MARGIN, distance_metric="L2")
        return value, tape.gradient(value, embeddings)

    def bind(labels: Any, embeddings: Any) -> Run:
        y, x = tf.constant(labels), tf.constant(embeddings)
        return lambda: float(value_and_gradient(y, x)[0])

    return bind


def bind_pml(loss: str) -> Bind:
    import torch
    from pytorch_metric_learning import distances, losses, miners, reducers

    torch.set_num_threads(THREADS)
    common = {"distance": distances.LpDistance(normalize_embeddings=False)}
    miner = {
        "semi_hard": miners.TripletMarginMiner(MARGIN, type_of_triplets="semihard", **common),
        "hard": miners.BatchHardMiner(**common),
        "batch_all": None,
    }[loss]
    loss_function = losses.TripletMarginLoss(MARGIN, reducer=reducers.MeanReducer(), **common)

    def bind(labels: Any, embeddings: Any) -> Run:
        y, x = torch.from_numpy(labels), torch.from_numpy(embeddings).requires_grad_()

        def run() -> float:
            value = loss_function(x, y, miner(x, y) if miner else None)
            torch.autograd.grad(value, x)
            return value.item()

        return run

    return bind


def call_times(run: Run, most_calls: int, most_seconds: float) -> list[float]:
    """Seconds of each call; at least one call, then until either limit is reached."""
    start, times = time.perf_counter(), []
    while not times or (len(times) < most_calls and time.perf_counter() - start < most_seconds):
        before = time.perf_counter()
        run()
        times.append(time.perf_counter() - before)
    return times


# The parent: environments, processes, tables.


def run_cell(cell: Cell, interpreter: str, options: argparse.Namespace) -> Measurement | str:
    """The measurement, or the limit that the cell ran into. Any other failure raises."""
    worker = ["--repeats", str(options.repeats), "--worker", json.dumps(asdict(cell))]
    limit = int(options.memory * 2**30)
    try:
        done = subprocess.run(
            [interpreter, __file__, *worker],
            capture_output=True,
            text=True,
            timeout=options.seconds,
            env=os.environ | WORKER_ENVIRONMENT,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)),
        )
    except subprocess.TimeoutExpired:
        return f"more than {options.seconds:g} s"
    if done.returncode == 0:
        return Measurement(**json.loads(done.stdout.splitlines()[-1]))
    if any(words in done.stderr for words in OUT_OF_MEMORY):
        return f"more than {options.memory:.3g} GiB"
    if done.returncode < 0:
        return f"ended by signal {-done.returncode} under a limit of {options.memory:.3g} GiB"
    raise RuntimeError(f"{cell} failed:\n{done.stderr}")


def run_cells(options: argparse.Namespace) -> tuple[Results, dict[Cell, str]]:
    """Results and limits; a series ends at the first size that is over a limit."""
    interpreters = {
        name: make_environment(name, options.envs, options.env_python) for name in options.libraries
    }
    rounds: dict[Cell, list[Measurement]] = defaultdict(list)
    limits: dict[Cell, str] = {}
    for cell in [cell for _ in range(options.rounds) for cell in all_cells(options)]:
        if any(replace(cell, size=over.size) == over for over in limits):
            continue
        if any(one.milliseconds > ONE_ROUND_MILLISECONDS for one in rounds[cell]):
            continue
        result = run_cell(cell, interpreters[cell.contender], options)
        print(cell, result, file=sys.stderr)
        if isinstance(result, str):
            limits[cell] = result
        else:
            rounds[cell].append(result)
    return {cell: Measurement.median(found) for cell, found in rounds.items() if found}, limits


def all_cells(options: argparse.Namespace) -> Iterator[Cell]:
    """Libraries innermost, so that a slow minute of the machine meets all of them."""
    for layout in options.layouts:
        for loss in options.losses:
            for size in sorted(options.sizes):
                for library in options.libraries:
                    if (library, loss) != ("tfa", "batch_all"):  # it has none
                        yield Cell(layout, loss, size, library)


def table(results: Results, layout: str, options: argparse.Namespace) -> str:
    """Markdown table of one label layout."""
    header = ["Loss", "B"]
    for name in options.libraries:
        label = LIBRARIES[name]
        header += [f"{label} ms"] if name == "ours" else [f"{label} ms", f"{label} / ours"]
    header += [f"{LIBRARIES[name]} MiB" for name in options.libraries]
    rows = [header]
    for loss in options.losses:
        for size in sorted(options.sizes):
            cells = {name: Cell(layout, loss, size, name) for name in options.libraries}
            found = {name: results.get(cell) for name, cell in cells.items()}
            rows.append([LOSSES[loss], str(size), *figures(found)])
    return markdown_table(rows)


def figures(found: dict[str, Measurement | None]) -> Iterator[str]:
    """Times, each but ours with its ratio, then memory; a dash for what was not measured."""
    ours = found.get("ours")
    for name, cell in found.items():
        yield f"{cell.milliseconds:,.2f}" if cell else "-"
        if name != "ours":
            yield f"{cell.milliseconds / ours.milliseconds:,.1f}x" if cell and ours else "-"
    for cell in found.values():
        yield f"{cell.mebibytes:,.0f}" if cell else "-"


def disagreements(results: Results) -> dict[Cell, float]:
    """Relative difference from our loss, for the cells that compute the same one."""
    return {
        cell: abs(measured.value / ours.value - 1.0)
        for cell, measured in results.items()
        if (cell.contender, cell.loss) in SAME_LOSS
        and (ours := results.get(replace(cell, contender="ours")))
    }


def report(results: Results, limits: dict[Cell, str], options: argparse.Namespace) -> str:
    """The Markdown page."""
    packages = dict.fromkeys(measured.packages for measured in results.values())
    today = datetime.date.today().isoformat()
    lines = ["; ".join([machine(), f"Python {platform.python_version()}", *packages, today])]
    for layout in options.layouts:
        lines += ["", f"### {LAYOUTS[layout]}", "", table(results, layout, options)]
    lines += ["", "Not measured, nor any larger B:", ""] if limits else []
    for cell, limit in limits.items():
        name = f"{LIBRARIES[cell.contender]} {LOSSES[cell.loss]}, {LAYOUTS[cell.layout]}"
        lines.append(f"- {name}, B = {cell.size}: {limit}")
    for library in options.libraries:
        found = [
            value for cell, value in disagreements(results).items() if cell.contender == library
        ]
        if found:
            text = f"{LIBRARIES[library]} against ours, same loss on the same data, {len(found)}"
            lines += ["", f"{text} cells: relative difference at most {max(found):.1e}."]
    return "\n".join(lines) + "\n"


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--sizes", type=int, nargs="+", default=SIZES, help="batch sizes")
    add("--losses", nargs="+", choices=LOSSES, default=list(LOSSES))
    add("--layouts", nargs="+", choices=LAYOUTS, default=list(LAYOUTS))
    add("--libraries", nargs="+", choices=LIBRARIES, default=list(LIBRARIES))
    add("--rounds", type=int, default=3, help="processes per cell")
    add("--repeats", type=int, default=200, help="most timed calls of a process")
    add("--seconds", type=float, default=180.0, help="time limit of a cell, imports included")
    add("--memory", type=float, default=free_gibibytes(), help="limit of a cell in GiB")
    add("--envs", type=Path, default=Path("build/bench-envs"), help="virtual environments")
    add("--env-python", default=sys.executable, help="interpreter to make them with")
    add("--output", type=Path, help="Markdown file to write")
    add("--worker", type=json.loads, help=argparse.SUPPRESS)
    return parser.parse_args()


def free_gibibytes() -> float:
    """Nine tenths of the memory that is available now."""
    return int(read_field("/proc/meminfo", "MemAvailable").split()[0]) / 2**20 * 0.9


def main() -> int:
    options = parse_options()
    if options.worker:
        print(json.dumps(asdict(measure(Cell(**options.worker), options.repeats))))
        return 0
    results, limits = run_cells(options)
    page = report(results, limits, options)
    print(page)
    if options.output:
        options.output.write_text(page)
    return int(not all(value <= TOLERANCE for value in disagreements(results).values()))


if __name__ == "__main__":
    sys.exit(main())
