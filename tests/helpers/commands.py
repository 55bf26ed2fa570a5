"""Arguments of the commands, for runs of a second on the data set `digits`."""

from pathlib import Path

import yaml

from triplet_train.cli import embed, evaluate, export, search, train
from triplet_train.evaluation.metrics import METRICS

MODULES = {
    "triplet-train": train,
    "triplet-embed": embed,
    "triplet-eval": evaluate,
    "triplet-export": export,
    "triplet-search": search,
}

METRIC_NAMES = {metric.name for metric in METRICS}
COUNTS = {
    *("queries", "query_classes", "queries_without_their_class", "query_classes_left_out"),
    *("rows_without_label", "queries_with_own_group_only", "rows_without_part"),
    *("gallery_images", "distractors", "ignored_pairs"),
}
SMALL = [
    "batch.per_class=4",
    "model.filters=[8]",
    "model.embedding_dim=16",
    "loss.strategy=naive",  # the fastest to compile
    "train.steps=20",
    "train.eval_every=10",
    "train.checkpoint_every=10",
]
# Options for the run that the fixture `run_copy` makes.
RUN = ["--config", "run/config.yaml", "--run-dir", "run"]
RESUME = [*RUN, "--resume"]


def changed(*overrides):
    """Options that change the configuration: `--set KEY=VALUE` for each override."""
    return [part for override in overrides for part in ("--set", override)]


def small_run(data_dir, *more):
    """Arguments of triplet-train for the small run, and `more`."""
    return ["--config", "digits_semihard", "--data-dir", data_dir, *changed(*SMALL), *more]


def empty_page(evaluated, file, title):
    """Stand in for the page of a run and its folder of plots, which take seconds."""
    from triplet_train.run.folder import plots_folder

    file.touch()
    plots_folder(file).mkdir(exist_ok=True)


def configuration(**data):
    """A configuration of eight steps with the given section `data`."""
    return {
        "data": data,
        "batch": {"classes": 4, "per_class": 4},
        "model": {"filters": [8], "embedding_dim": 8},
        "loss": {"strategy": "naive"},  # the fastest to compile
        "train": {"steps": 8, "log_every": 4, "eval_every": 4},
    }


def write_configuration(name, **data):
    """Write such a configuration to `NAME.yaml`."""
    Path(f"{name}.yaml").write_text(yaml.safe_dump(configuration(**data)))
