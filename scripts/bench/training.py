"""Whole trainings beside tensorflow_addons and pytorch-metric-learning: rate, memory, recall@1.

    python scripts/bench/training.py --data-dir ~/tensorflow_datasets --output training.md \\
        --results training.json --plot training.png
    python scripts/bench/training.py --read training.json --plot training.png

The same for all: MNIST, from one file that is written first; the tower (scaling, two 3x3
convolutions of 32 and 64 with ReLU and 2x2 max pooling, dense 64, unit length) and how its weights
begin; Adam at 1e-3; semi-hard triplets by Euclidean distance, margin --margin; two CPU threads.
What differs is what users of each get:

- ours: the loop of triplet-train with its log, checks and checkpoints; 8 classes in a batch.
- TFA: the pipeline of its tutorial, shuffle(1024).batch(B).map(scale), and model.fit, silent.
- PML: MPerClassSampler, 8 classes in a batch, a DataLoader over tensors in memory, without the
  torchvision transforms that would slow it down; TripletMarginMiner of type semihard, whose
  triplets are all negatives within the margin and not only the nearest.

bfloat16 is Keras's mixed_bfloat16, and torch.autocast around the tower. TensorFlow turns oneDNN on
by itself on CPUs with AVX512-VNNI; our commands turn it on everywhere. TFA is measured as it comes,
and with it turned on. Ours pools before ReLU, which gives the same.

A rate is the median of the windows of a process, without the first, which compiles. There is a
process for each contender, batch size and round, so that a slow minute of the machine spoils none
of them alone; ratios are between processes of one round. Recall@1 on the 10,000 test images is
judged by one function for all, off the clock, as are imports and reading the data; compiling is on
it, and so are our checkpoints. Memory is the peak of the process, and how far that lies beyond what
libraries and images had taken before the first step.

The other libraries get virtual environments as in losses.py. Needs Linux and a machine with
nothing else to do, for about 20 minutes with 2 cores.
"""

import argparse
import datetime
import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from libraries import WORKER_ENVIRONMENT, machine, make_environment
from training_page import draw, page
from trainings import CONTENDERS, Job, Result, read_result, work


def run_job(job: Job, interpreter: str, images: Path) -> Result:
    done = subprocess.run(
        [interpreter, __file__, "--worker", json.dumps(asdict(job)), "--images", images],
        capture_output=True,
        text=True,
        env=os.environ | WORKER_ENVIRONMENT | job.environment,
    )
    if done.returncode:
        raise RuntimeError(f"{job} failed:\n{done.stderr}")
    result = read_result(json.loads(done.stdout.splitlines()[-1]))
    found = f"{result.rate:,.0f} images/s" if job.target is None else f"{result.reached} s"
    print(f"{job.contender}, B = {job.size}, seed {job.seed}: {found}", file=sys.stderr)
    return result


def all_jobs(options: argparse.Namespace) -> Iterator[Job]:
    """Contenders innermost, so that a slow minute of the machine meets all of them."""
    same = {"windows": options.windows, "margin": options.margin}
    for seed in range(options.rounds):
        for size in options.sizes:
            steps = max(options.window // size, 1)
            for name in options.contenders:
                yield Job(name, size, seed, steps, None, limit=options.rate_limit, **same)
    size, steps, target = options.curve_size, options.eval_every, options.target
    for seed in range(options.curves):
        for name in options.contenders:
            yield Job(name, size, seed, steps, target, limit=options.curve_limit, **same)


def run_all(options: argparse.Namespace) -> dict[str, Any]:
    """What --results holds."""
    jobs = list(all_jobs(options))
    interpreters = {
        package: make_environment(package, options.envs, options.env_python)
        for package in dict.fromkeys(job.package for job in jobs)
    }
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "mnist.npz"
        export = [sys.executable, __file__, "--export", "--images", images]
        export += ["--data-dir", options.data_dir] if options.data_dir else []
        subprocess.run(export, check=True, env=os.environ | WORKER_ENVIRONMENT)
        results = [run_job(job, interpreters[job.package], images) for job in jobs]
    facts = [machine(), f"Python {platform.python_version()}"]
    facts += dict.fromkeys(result.packages for result in results)
    facts += [f"commit {commit()}", datetime.date.today().isoformat()]
    command = shlex.join(["python", *sys.argv])
    return {"command": command, "facts": facts, "results": [asdict(one) for one in results]}


def commit() -> str:
    """Of this checkout, and whether files of it have changed since."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude", "*"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
    )
    return done.stdout.strip() or "unknown"


def write_images(file: Path, data_dir: str | None) -> None:
    """MNIST's two splits, decoded."""
    import numpy as np

    from triplet_train.config import DataConfig
    from triplet_train.data.source import open_source

    source = open_source(DataConfig(dataset="mnist", data_dir=data_dir))
    arrays = {}
    for split in ("train", "test"):
        table = source.table(split)
        arrays[f"{split}_images"] = np.concatenate([some.images for some in table.batches(1000)])
        arrays[f"{split}_labels"] = table.labels
    np.savez(file, **arrays)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data-dir", help="TFDS folder that holds MNIST; default: TFDS's own")
    add("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    add("--sizes", type=int, nargs="+", default=[128, 512], help="batch sizes of the rates")
    add("--rounds", type=int, default=3, help="processes for each rate")
    add("--window", type=int, default=5120, help="images in a window")
    add("--windows", type=int, default=4, help="of a process, after the first")
    add("--curves", type=int, default=3, help="runs of each contender, with seeds 0, 1, ...")
    add("--curve-size", type=int, default=128, help="batch size of these")
    add("--eval-every", type=int, default=50, help="steps between two points of a curve")
    add("--target", type=float, default=0.99, help="recall@1 that ends a curve")
    add("--rate-limit", type=float, default=20.0, help="seconds after which windows are cut short")
    add("--curve-limit", type=float, default=90.0, help="seconds of training that end a curve too")
    add("--margin", type=float, default=0.5)
    add("--envs", type=Path, default=Path("build/bench-envs"), help="virtual environments")
    add("--env-python", default=sys.executable, help="interpreter to make them with, 3.10 or 3.11")
    add("--output", type=Path, help="Markdown file to write")
    add("--results", type=Path, help="JSON file to write, with every window and curve")
    add("--plot", type=Path, help="PNG file to write")
    add("--read", type=Path, help="a file of --results to take instead of measuring")
    add("--worker", type=json.loads, help=argparse.SUPPRESS)
    add("--export", action="store_true", help=argparse.SUPPRESS)
    add("--images", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    options = parse_options()
    if options.export:
        write_images(options.images, options.data_dir)
        return
    if options.worker:
        print(json.dumps(asdict(work(Job(**options.worker), options.images))))
        return
    found = json.loads(options.read.read_text()) if options.read else run_all(options)
    if options.results:
        options.results.write_text(json.dumps(found, indent=1) + "\n")
    results = [read_result(fields) for fields in found["results"]]
    text = page(found, results)
    print(text)
    if options.output:
        options.output.write_text(text)
    if options.plot:
        draw(results, options.plot)


if __name__ == "__main__":
    main()
