"""Quick forms of the benches: they run, and write every page."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.helpers.made_sets import make_folder
from triplet_train.config import load_config

BENCH = Path(__file__).parents[1] / "scripts/bench"

SECTIONS = ["golden", "step", "mnist", "loss", "resume", "evaluation", "embedding"]


def rows_of(output, *options, **environment):
    request = [sys.executable, BENCH / "gpu.py", "--quick", "--output", output, *options]
    subprocess.run(request, check=True, env=os.environ | environment)
    return json.loads(output.read_text())


@pytest.mark.slow
def test_the_bench_for_a_gpu_measures_every_section_and_joins_its_files(
    tmp_path, mnist_dir, golden
):
    file = tmp_path / "gpu.json"
    rows = rows_of(file, "--golden", golden, TFDS_DATA_DIR=str(mnist_dir))
    assert not [row for row in rows if "remark" in row]
    assert list(dict.fromkeys(row["section"] for row in rows)) == ["machine", *SECTIONS]
    found = {(row["section"], row["name"]): row for row in rows}
    values = found["golden", "without XLA"]
    assert values["cases"] == 240 and values["values"] < 2e-5 and values["gradients"] < 1e-5
    assert found["resume", "deterministic"]["bit for bit"]
    assert found["embedding", "two convolutions"]["images/s"] > 0
    other = tmp_path / "other.json"
    step = next(row for row in rows if row["section"] == "step")
    other.write_text(json.dumps([step | {"library": "pml", "images/s": 1234.5}]))
    request = [sys.executable, BENCH / "gpu.py", "--read", file, other]
    page = subprocess.run(request, check=True, capture_output=True, text=True).stdout
    assert page.count("\n## ") == 8 and "PML images/s" in page
    (line,) = [line for line in page.splitlines() if line.startswith(f"| {step['name']} ")]
    assert "| 1,234 |" in line


@pytest.mark.slow
def test_the_bench_for_a_gpu_measures_later_the_rows_for_which_no_time_was_left(tmp_path):
    file, only = tmp_path / "gpu.json", ("--library", "ours", "--only", "evaluation")
    rows = rows_of(file, *only, "--minutes", "0")
    assert [(row["section"], row["name"], row["remark"]) for row in rows] == [
        ("machine", "triplet-train", "no time was left"),
        ("evaluation", "1,000 x 1,000", "no time was left"),
    ]
    measured = rows_of(file, *only)
    assert [row["name"] for row in measured] == [row["name"] for row in rows]
    assert not [row for row in measured if "remark" in row]
    assert rows_of(file, *only) == measured


@pytest.mark.slow
def test_every_page_of_measurements_is_written_by_one_command(tmp_path, mnist_dir):
    request = [sys.executable, BENCH / "all.py", "--quick", "--output", tmp_path]
    environment = os.environ | {"TFDS_DATA_DIR": str(mnist_dir)}
    subprocess.run(request, check=True, env=environment, cwd=tmp_path)
    pages = {page.stem: page.read_text() for page in tmp_path.glob("*.md")}
    assert pages.keys() == {"accuracy", "losses", "step", "input_output", "retrieval", "scale"}
    for text in pages.values():
        title, _, stamp = text.splitlines()[:3]
        assert title.startswith("# ") and "commit" in stamp and "cores" in stamp
        assert "| ---" in text and "Not measured" not in text


@pytest.mark.slow
def test_other_libraries_find_the_same_in_many_small_classes():
    root = BENCH.parents[1]  # whose build/ has the environment of PML, if there is one
    request = [sys.executable, BENCH / "many_classes.py", "--quick"]
    page = subprocess.run(request, check=True, capture_output=True, text=True, cwd=root).stdout
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| 1,")]
    ours = {row[0]: row[4:] for row in rows if row[1] == "`triplet-eval`"}
    assert len(ours) == 2 and {row[1] for row in rows} >= {"`triplet-eval`", "faiss"}
    for name, which, _, _, *metrics in rows:
        for found, expected in zip(metrics, ours[name], strict=True):
            if found != "-":
                assert float(found) == pytest.approx(float(expected), abs=1e-5), (name, which)


@pytest.mark.slow
def test_the_bench_of_fine_tuning_measures_every_table_and_keeps_its_rows(tmp_path):
    others = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog")
    classes = (*others, *load_config("cifar10_unseen").data.eval_classes)
    paths = [
        f"{s}/{name}/{n}.jpg" for s in ("train", "test") for name in classes for n in range(20)
    ]
    make_folder(tmp_path / "images", paths, size=(32, 32))
    backbone, page = tmp_path / "network.keras", tmp_path / "page.md"
    layers = keras.layers
    keras.Sequential(
        [
            keras.Input([None, None, 3]),
            layers.Rescaling(1 / 255),
            layers.Conv2D(8, 3, strides=4),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
        ]
    ).save(backbone)
    script, runs = BENCH / "finetuning.py", tmp_path / "runs"
    files = ["--images", tmp_path / "images", "--backbone", backbone]
    request = [sys.executable, script, *files, "--runs", runs, "--output", page, "--quick"]
    subprocess.run(request, check=True)
    text = page.read_text()
    weights, choices, steps = text.split("\n## ")[1:]
    for table, rows in ((weights, 6), (choices, 14), (steps, 2)):
        lines = [line for line in table.splitlines() if line.startswith("| ")][2:]
        assert len(lines) == rows and not lines[0].split("|")[3].strip().startswith("not measured")
    before = {file: file.stat().st_mtime_ns for file in runs.glob("*.json")}
    assert len(before) == 10
    subprocess.run([*request, "--only", "step"], check=True)
    assert page.read_text() == text
    assert before == {file: file.stat().st_mtime_ns for file in runs.glob("*.json")}


@pytest.mark.slow
def test_the_bench_of_settings_compares_its_rows_and_keeps_its_runs(tmp_path):
    runs, page = tmp_path / "runs", tmp_path / "page.md"
    request = [sys.executable, BENCH / "choosing.py", "--quick", "--only", "digits"]
    request += ["--seeds", "0", "1", "--runs", runs, "--output", page]
    subprocess.run(request, check=True)
    text = page.read_text()
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| `semi_hard`")]
    assert len(rows) == 3 and " to " in rows[1][5] and not rows[0][5].strip()
    assert text.count("Not measured yet.") == 3
    finished = {file: file.stat().st_mtime_ns for file in runs.glob("*/*/stamp.txt")}
    assert len(finished) == 6
    subprocess.run(request, check=True)
    assert page.read_text() == text
    assert finished == {file: file.stat().st_mtime_ns for file in runs.glob("*/*/stamp.txt")}


def test_wrong_labels_are_of_another_class_in_the_share_that_is_asked_for(monkeypatch):
    monkeypatch.syspath_prepend(BENCH)
    sets = importlib.import_module("choosing_sets")
    labels = [str(number % 10) for number in range(20_000)]
    wrong = sets.wrong_labels(labels, np.random.default_rng(0))
    for share in sets.NOISE:
        given = [(own, other) for own, other in zip(labels, wrong[f"label_{share}"], strict=True)]
        changed = [pair for pair in given if pair[0] != pair[1]]
        assert len(changed) / len(labels) == pytest.approx(share / 100, abs=0.01)
        assert len(set(changed)) == 90  # every class becomes every other
