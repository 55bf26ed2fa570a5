"""Every shipped configuration names its command and its results, and these can be checked."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from triplet_train.config import load_config
from triplet_train.registry import shipped_configs

REPRODUCE = [sys.executable, Path(__file__).parents[2] / "scripts/bench/reproduce.py"]
PROMISE = re.compile(r"^#   (\w+) +(0\.\d{4}) \+- (0\.\d{4})$", re.MULTILINE)


def promised(name):
    """Mean and standard deviation of each metric, from the first lines of a configuration."""
    text = shipped_configs()[name].read_text()
    return {metric: (float(mean), float(sd)) for metric, mean, sd in PROMISE.findall(text)}


def reproduced(folder, *names):
    """Exit status and output of the comparison of runs that are kept in `folder`."""
    request = [*REPRODUCE, *names, "--runs", folder, "--seeds", "0", "1"]
    done = subprocess.run(request, capture_output=True, text=True)
    return done.returncode, done.stdout


def keep_runs(folder, name, *deviations):
    """Write metrics of runs that lie so many standard deviations from the promised ones."""
    for seed, deviation in enumerate(deviations):
        run = folder / f"{name}-{seed}"
        run.mkdir(parents=True)
        metrics = {"recall_at_1": 0.5, "map_at_r": 0.5} | {
            metric: mean + deviation * sd for metric, (mean, sd) in promised(name).items()
        }
        (run / "metrics.json").write_text(json.dumps(metrics))
        seconds = {"seconds_to_metrics": 1.0, "seconds": 2.0}
        (run / "reproduced.json").write_text(json.dumps(seconds))


@pytest.mark.parametrize("name", shipped_configs())
def test_the_first_lines_give_the_command_the_time_and_the_metrics(name):
    first, second, *_ = shipped_configs()[name].read_text().splitlines()
    assert first == f"# triplet-train --config {name}"
    assert " on 2 CPU cores (" in second
    if "Not measured yet" in second:
        return
    assert {"recall_at_1", "map_at_r"} < promised(name).keys()
    unseen = load_config(name).data.eval_classes
    assert ("5_way_1_shot" if unseen else "knn_by_train") in promised(name)


@pytest.mark.parametrize("name", shipped_configs())
def test_no_step_is_chosen_by_the_images_of_the_final_metrics(name):
    config = load_config(name)
    assert config.data.eval_split != "test" and config.export_splits == ["test"]


def test_every_shipped_configuration_is_compared_with_its_promise_by_default(tmp_path):
    for name in shipped_configs():
        keep_runs(tmp_path, name, 3.9, -3.9)
    status, table = reproduced(tmp_path)
    assert status == 0 and "DIFFERS" not in table
    for name in shipped_configs():
        for metric in promised(name) or ("recall_at_1", "map_at_r"):
            (line,) = [
                row for row in table.splitlines() if row.startswith(f"| {name} | {metric} |")
            ]
            assert ("agrees" if promised(name) else "not measured yet") in line


def test_a_metric_differs_beyond_four_standard_deviations(tmp_path):
    keep_runs(tmp_path, "mnist_unseen", 0, 4.1)
    status, table = reproduced(tmp_path, "mnist_unseen")
    assert status == 1 and table.count("DIFFERS") == len(promised("mnist_unseen"))


def test_a_metric_agrees_within_two_thousandths(tmp_path):
    recall, _ = promised("mnist_best")["recall_at_1"]  # its deviation is smaller
    keep_runs(tmp_path, "mnist_best", 0, 0)
    for difference, expected in ((0.0019, 0), (0.0021, 1)):
        file = tmp_path / "mnist_best-1" / "metrics.json"
        metrics = json.loads(file.read_text()) | {"recall_at_1": recall + difference}
        file.write_text(json.dumps(metrics))
        assert reproduced(tmp_path, "mnist_best")[0] == expected
