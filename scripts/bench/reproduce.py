"""Shipped configurations

Each configuration is trained as a user would (`triplet-train --config NAME --set seed=N`), and its
metrics on the test split are compared with those that its first lines promise, `NAME MEAN +- SD`
over the seeds 0 to 2. A metric agrees if every seed is within four standard deviations of the mean,
or within 0.002 of it: processors round differently, and a training amplifies the differences.
`knn_by_train` is the kNN accuracy of the test images against the whole training split,
`5_way_1_shot` the accuracy in 1,000 episodes of held-out classes. Seconds are from the start of the
process to its metrics, and to its end with the page.
"""

import argparse
import json
import re
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

from processes import command, training
from sections import average, table

from triplet_train.config import find_config
from triplet_train.registry import shipped_configs

PROMISE = re.compile(r"^#\s+(\w+)\s+(?:(\d\.\d+) \+- (\d\.\d+)|not measured yet)$", re.MULTILINE)
SMALLEST_TOLERANCE = 0.002
Metrics = dict[str, float]


def measure(name: str, seed: int, run: Path, anew: bool) -> Metrics:
    """Metrics and seconds of a configuration, trained unless `run` holds them already."""
    kept = run / "reproduced.json"
    if anew or not kept.exists():
        times = training(name, run, f"seed={seed}")
        kept.write_text(json.dumps(times | further_metrics(name, run)))
    metrics: Metrics = json.loads((run / "metrics.json").read_text())
    return metrics | json.loads(kept.read_text())


def promises(name: str) -> dict[str, tuple[float, float] | None]:
    """Mean and standard deviation of each metric that a configuration names, if they are known."""
    found = PROMISE.findall(find_config(name).read_text(encoding="utf-8"))
    return {metric: (float(mean), float(sd)) if mean else None for metric, mean, sd in found}


def further_metrics(name: str, run: Path) -> Metrics:
    """Metrics that take the other commands, as far as they are promised."""
    promised = promises(name)
    answer, train = run / "evaluation.json", run / "train.parquet"
    of_run, to_json = ["--checkpoint", run], ["--json", answer, "--overwrite", "--quiet"]
    if "5_way_1_shot" in promised:
        command("triplet-eval", *of_run, "--episodes", 1000, *to_json)
        return {"5_way_1_shot": json.loads(answer.read_text())["episodes"]["accuracy"]}
    if "knn_by_train" not in promised:
        return {}
    to_train = ["--split", "train", "--output", train, "--overwrite", "--quiet"]
    command("triplet-embed", *of_run, *to_train)
    files = ["--queries", run / "embeddings/test.parquet", "--gallery", train]
    command("triplet-eval", *files, *to_json)
    return {"knn_by_train": json.loads(answer.read_text())["knn_accuracy"]}


def rows(name: str, runs: list[Metrics]) -> Iterator[list[str]]:
    """Row for each metric that the configuration promises, and one for the seconds."""
    for metric, promised in promises(name).items():
        values = [run[metric] for run in runs]
        each = ", ".join(f"{value:.4f}" for value in values)
        yield [name, metric, each, average(values), *compared(values, promised)]
    pairs = [(run["seconds_to_metrics"], run["seconds"]) for run in runs]
    each = ", ".join(f"{to_metrics:.0f} of {whole:.0f}" for to_metrics, whole in pairs)
    yield [name, "seconds", each, f"{statistics.median(pair[0] for pair in pairs):.0f}", "", ""]


def compared(values: list[float], promised: tuple[float, float] | None) -> tuple[str, str]:
    """Text of a promise, and the verdict on it."""
    if not promised:
        return "not measured yet", ""
    mean, sd = promised
    tolerance = max(4 * sd, SMALLEST_TOLERANCE)
    agrees = all(abs(value - mean) <= tolerance for value in values)
    return f"{mean:.4f} +- {sd:.4f}", "agrees" if agrees else "DIFFERS"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", default=list(shipped_configs()), help="default: all")
    add("--without", nargs="+", metavar="NAME", default=[], help="configurations to leave out")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2])
    add("--runs", type=Path, default=Path("build/reproduce"), help="folder for the runs")
    add("--anew", action="store_true", help="train again where the folder has the run already")
    options = parser.parse_args()
    found = [["configuration", "metric", "each seed", "mean", "promised", ""]]
    for name in options.names:
        if name not in options.without:
            folders = {seed: options.runs / f"{name}-{seed}" for seed in options.seeds}
            runs = [measure(name, seed, run, options.anew) for seed, run in folders.items()]
            found += rows(name, runs)
    print(f"## {__doc__.strip()}\n\n{table(found, left=2)}")
    if options.without:
        print(f"\nNot run: {', '.join(options.without)}.")
    sys.exit(any("DIFFERS" in row for row in found))


if __name__ == "__main__":
    main()
