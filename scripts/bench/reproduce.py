"""Runs shipped configurations again, and compares their figures with those that they promise.

    python scripts/bench/reproduce.py mnist_semihard --data-dir ~/tensorflow_datasets
    python scripts/bench/reproduce.py --output results.md     (all of them, three seeds each)

Each run is what a user would type: triplet-train --config NAME --set seed=N. To the figures of its
metrics.json come, from the files that it leaves,

    knn_by_train     kNN accuracy of the test images against the whole training split, with
                     triplet-embed --split train and triplet-eval --queries --gallery
    5_way_1_shot     of classes that were held out: triplet-eval --episodes 1000

and the seconds from the start of the process to metrics.json, which holds the figures, and to the
end, when the page is drawn.

What a configuration promises stands in its first lines, `#  NAME  MEAN +- SD`, over seeds 0 to 2.
A figure agrees if it is within four standard deviations of the mean, or within 0.002 where they are
smaller: other processors round differently, and a rounding grows over a training. Exit status 1 if
one does not agree. The seconds are compared with nothing; the table has their median.

What was run is kept in --runs and not run again: delete that folder to measure anew.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from libraries import machine
from pages import markdown_table

from triplet_train.config import find_config, load_config
from triplet_train.registry import shipped_configs

PROMISE = re.compile(r"^#\s+(\w+)\s+(\d\.\d+) \+- (\d\.\d+)$", re.MULTILINE)
SMALLEST_TOLERANCE = 0.002
Figures = dict[str, float]


def promised(name: str) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation of each figure in the first lines of a configuration."""
    text = find_config(name).read_text(encoding="utf-8")
    return {figure: (float(mean), float(sd)) for figure, mean, sd in PROMISE.findall(text)}


def measure(name: str, seed: int, run_dir: Path, data_dir: list[str]) -> Figures:
    """Run a configuration, unless `run_dir` has the figures already."""
    kept = run_dir / "reproduced.json"
    if not kept.exists():
        begun = time.time()
        where = ["--run-dir", str(run_dir), "--overwrite", "--quiet", *data_dir]
        command("triplet-train", "--config", name, "--set", f"seed={seed}", *where)
        ended = time.time()
        seconds = {
            "seconds_to_figures": (run_dir / "metrics.json").stat().st_mtime - begun,
            "seconds": ended - begun,
        }
        kept.write_text(json.dumps(seconds | further_figures(name, run_dir, data_dir)))
    return json.loads((run_dir / "metrics.json").read_text()) | json.loads(kept.read_text())


def further_figures(name: str, run_dir: Path, data_dir: list[str]) -> Figures:
    """What is not in metrics.json: see the head of this file."""
    found, train = run_dir / "evaluation.json", run_dir / "train.parquet"
    to_json = ["--json", str(found), "--overwrite", "--quiet"]
    of_run = ["--checkpoint", str(run_dir)]
    if load_config(name).data.eval_classes:
        command("triplet-eval", *of_run, "--episodes", "1000", *to_json, *data_dir)
        return {"5_way_1_shot": json.loads(found.read_text())["episodes"]["accuracy"]}
    to_train = ["--split", "train", "--output", str(train), "--overwrite", "--quiet"]
    command("triplet-embed", *of_run, *to_train, *data_dir)
    files = ["--queries", str(run_dir / "embeddings/test.parquet"), "--gallery", str(train)]
    command("triplet-eval", *files, *to_json)
    return {"knn_by_train": json.loads(found.read_text())["knn_accuracy"]}


def command(name: str, *arguments: str) -> None:
    """Run a command of this environment."""
    print("$", name, *arguments, file=sys.stderr)
    program = Path(sys.executable).parent / name
    subprocess.run([program, *arguments], check=True, stdout=subprocess.DEVNULL)


def agrees(values: list[float], mean: float, sd: float) -> bool:
    return all(abs(value - mean) <= max(4 * sd, SMALLEST_TOLERANCE) for value in values)


def rows(name: str, runs: list[Figures]) -> Iterator[list[str]]:
    """A row for each figure that is promised, and those of the seconds."""
    for figure, (mean, sd) in promised(name).items():
        values = [run[figure] for run in runs]
        verdict = "agrees" if agrees(values, mean, sd) else "DIFFERS"
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        found = f"{statistics.mean(values):.4f} +- {spread:.4f}"
        yield [name, figure, shown(values, 4), found, f"{mean:.4f} +- {sd:.4f}", verdict]
    for figure in ("seconds_to_figures", "seconds"):
        values = [run[figure] for run in runs]
        yield [name, figure, shown(values, 1), f"median {statistics.median(values):.1f}", "", ""]


def shown(values: list[float], digits: int) -> str:
    return ", ".join(f"{value:.{digits}f}" for value in values)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", default=list(shipped_configs()), help="default: all")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2])
    add("--data-dir", help="TFDS folder that holds MNIST; default: TFDS's own")
    add("--runs", type=Path, default=Path("build/reproduce"), help="where the runs go")
    add("--output", type=Path, help="Markdown file to write")
    return parser.parse_args()


def main() -> None:
    options = parse_options()
    data_dir = ["--data-dir", options.data_dir] if options.data_dir else []
    table = [["configuration", "figure", "of each seed", "together", "promised", ""]]
    for name in options.names:
        folders = {seed: options.runs / f"{name}-{seed}" for seed in options.seeds}
        found = [measure(name, seed, folder, data_dir) for seed, folder in folders.items()]
        table += rows(name, found)
    text = f"{machine()}\n\n{markdown_table(table, left=3)}\n"
    print(text)
    if options.output:
        options.output.write_text(text)
    sys.exit(any("DIFFERS" in row for row in table))


if __name__ == "__main__":
    main()
