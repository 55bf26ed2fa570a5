"""Write docs/measurements/choosing.md: strategy, margin, batch and distance, and wrong labels.

    python scripts/bench/choosing.py
    python scripts/bench/choosing.py --images FOLDER --backbone FILE.keras
    python scripts/bench/choosing.py --only digits mnist --seeds 0

Needs MNIST, in the folder that TFDS_DATA_DIR names or in TFDS's own. The two sets of photographs
are left out without --images, a folder of CIFAR-10 as train/CLASS/*.jpg, and --backbone, a network
with weights of ImageNet from images of any size to features.

Each row of each set is a training with each seed, as a user would do it. A run that is kept in
build/choosing is not trained again; the page is written after every set.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import yaml
from choosing_sets import NOISE, OF_PHOTOS, SUBJECTS, write_images
from machine import stamp
from processes import command, training
from sections import average, file_name, table

PAGE = Path(__file__).parents[2] / "docs/measurements/choosing.md"
HEADING = """# Strategy, margin, batch, distance

{stamps}

    python scripts/bench/choosing.py --images FOLDER --backbone FILE.keras

Each row changes what it names of its set's first row, which is `semi_hard` with a margin of 0.3, 10
classes x 8 images and Euclidean distance. All rows of a set make the same number of steps at the
same learning rate, which was not tuned for any of them. The images of the metrics are held out from
training, and choose nothing. Mean and standard deviation over the seeds {seeds}. The difference is
that of MAP@R from the first row in points (0.01), with the 95 % interval of `triplet-eval
--against`, paired by query and over seeds.
"""
BASE: dict[str, Any] = {
    "data": {"dataset": "table", "train_split": "train", "eval_split": "held_out"},
    "batch": {"classes": 10, "per_class": 8},
    "loss": {"strategy": "semi_hard", "margin": 0.3},
    "embeddings": {"splits": ["held_out"], "formats": ["parquet"]},
}
STRATEGIES = ("semi_hard", "hard", "easy_positive", "batch_all", "naive")
MARGINS = (0.1, 0.3, 1.0)
FIRST = "`semi_hard`, margin 0.3"
METRICS = ("recall_at_1", "map_at_r")
DONE = "stamp.txt"  # of a finished run
EMBEDDINGS = "embeddings/held_out.parquet"
Rows = dict[str, tuple[str, ...]]


def parts() -> dict[str, Rows]:
    """Settings of each row, by the part of the table."""
    mined = {
        f"`{strategy}`, margin {margin:g}": (f"loss.strategy={strategy}", f"loss.margin={margin:g}")
        for strategy in STRATEGIES
        for margin in MARGINS
    }
    batches = {
        f"{classes} classes x {images}": (f"batch={{classes: {classes}, per_class: {images}}}",)
        for classes, images in ((5, 16), (10, 4), (10, 2), (5, 4))
    }
    distances = {
        "squared Euclidean, margin 0.3": ("loss.distance=squared-L2",),
        "angular, margin 0.1": ("loss.distance=angular", "loss.margin=0.1"),
    }
    wrong = {
        f"{share} % wrong, `{strategy}`": (
            f"loss.strategy={strategy}",
            f"data.columns={{label: label_{share}}}",
        )
        for share in NOISE
        for strategy in STRATEGIES
    }
    first = {FIRST: mined.pop(FIRST)}
    return {
        "strategy and margin": first | mined,
        "batch": batches,
        "distance": distances,
        "labels of the training images": wrong,
    }


def measure(options: argparse.Namespace, subject: str, row: str, seed: int) -> Path:
    """Folder of the run of a row, trained unless it is there."""
    run: Path = options.runs / subject / f"{file_name(row)}-{seed}"
    if not (run / DONE).exists():
        training(str(config_of(options, subject)), run, f"seed={seed}", *every_row()[row])
        (run / DONE).write_text(stamp())
    return run


def config_of(options: argparse.Namespace, subject: str) -> Path:
    """Configuration of a set, written with its images unless it is there."""
    folder: Path = options.runs / subject
    file = folder / "config.yaml"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_images(subject, folder, options.images, options.quick)
        own = SUBJECTS[subject].config
        config = {section: BASE.get(section, {}) | own.get(section, {}) for section in BASE | own}
        config["data"]["path"] = str((folder / "images.csv").absolute())
        if config["model"].get("tower") == "keras":
            config["model"]["backbone"] = str(options.backbone.absolute())
        steps = 2 if options.quick else config["train"]["steps"]
        # Evaluated once: no step is chosen.
        config["train"] = {"steps": steps, "eval_every": steps, "checkpoint_every": steps}
        file.write_text(yaml.safe_dump(config))
    return file


def differences(options: argparse.Namespace, subject: str, runs: dict[str, list[Path]]) -> Any:
    """Differences of the first row from each other by `triplet-eval --against`, by its name."""
    (first, *seeds), *others = ([run / EMBEDDINGS for run in each] for each in runs.values())
    if not others:
        return {}
    answer = options.runs / subject / "compared.json"
    files = ["--queries", first, "--against", *seeds, *(file for each in others for file in each)]
    command("triplet-eval", *files, "--json", answer, "--overwrite", "--quiet")
    compared = json.loads(answer.read_text())["comparisons"]
    by_run = {side["run"]: each for each in compared for side in each["other"]["runs"]}
    return {row: by_run[str(runs[row][0] / EMBEDDINGS)]["differences"] for row in list(runs)[1:]}


def tables(options: argparse.Namespace, subject: str) -> str:
    """Tables of a set, with the rows of which the runs of all seeds are there."""
    runs = {row: trained(options, subject, row) for row in every_row()}
    runs = {row: each for row, each in runs.items() if len(each) == len(options.seeds)}
    found = differences(options, subject, runs) if FIRST in runs else {}
    shown = []
    for part, rows in parts().items():
        lines = [[part, "recall@1", "MAP@R", "difference", "95 % interval"]]
        for row in filter(runs.get, rows):
            metrics = [json.loads((run / "metrics.json").read_text()) for run in runs[row]]
            values = [average([each[name] for each in metrics]) for name in METRICS]
            lines.append([row, *values, *difference(found.get(row))])
        shown += [table(lines)] if len(lines) > 1 else []
    about = SUBJECTS[subject]
    return "\n\n".join([f"## {about.title}", about.text, *(shown or ["Not measured yet."])])


def trained(options: argparse.Namespace, subject: str, row: str) -> list[Path]:
    """Finished runs of a row."""
    runs = [options.runs / subject / f"{file_name(row)}-{seed}" for seed in options.seeds]
    return [run for run in runs if (run / DONE).exists()]


def difference(found: Any) -> list[str]:
    """Difference of a row from the first in points of MAP@R, and its interval."""
    if found is None:
        return ["", ""]
    points, ends = -100 * found["map_at_r"]["difference"], found["map_at_r"]["interval"]
    interval = f"{-100 * ends[1]:+.2f} to {-100 * ends[0]:+.2f}" if ends else "-"
    return [f"{points:+.2f}", interval]


def every_row() -> Rows:
    return {row: settings for rows in parts().values() for row, settings in rows.items()}


def write_page(options: argparse.Namespace) -> None:
    stamps = {file.read_text() for file in options.runs.glob(f"*/*/{DONE}")}
    seeds = ", ".join(map(str, options.seeds))
    heading = HEADING.format(stamps="\n\n".join(sorted(stamps)) or "Not measured yet.", seeds=seeds)
    shown = [tables(options, subject) for subject in SUBJECTS]
    options.output.write_text("\n\n".join([heading.strip(), *shown]) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--images", type=Path, metavar="FOLDER")
    add("--backbone", type=Path, metavar="FILE.keras")
    add("--only", nargs="+", choices=SUBJECTS, default=list(SUBJECTS), metavar="SET")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2])
    add("--runs", type=Path, default=Path("build/choosing"), help="folder that keeps the runs")
    add("--output", type=Path, default=PAGE, help="the page")
    add("--quick", action="store_true", help="three rows of each set, at tiny sizes")
    options = parser.parse_args()
    for subject in options.only:
        if subject in OF_PHOTOS and not (options.images and options.backbone):
            print(f"{subject} is left out: it needs --images and --backbone", file=sys.stderr)
            continue
        for row in list(every_row())[: 3 if options.quick else None]:
            for seed in options.seeds:
                measure(options, subject, row, seed)
        write_page(options)


if __name__ == "__main__":
    main()
