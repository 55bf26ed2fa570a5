"""The small form of scripts/bench/gpu.py, on the CPU."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = [sys.executable, Path(__file__).parents[1] / "scripts/bench/gpu.py", "--small"]


def rows_of(output, *options):
    subprocess.run([*BENCH, "--output", output, *options], check=True)
    content = json.loads(output.read_text())
    assert not [row for row in content["rows"] if "failed" in row]
    return content


@pytest.mark.slow
def test_the_bench_for_a_gpu_measures_every_section(tmp_path, mnist_dir, golden):
    content = rows_of(tmp_path / "gpu.json", "--data-dir", mnist_dir, "--golden", golden)
    sections = {row["section"] for row in content["rows"]}
    assert sections == {"machine", "golden", "step", "mnist", "evaluation", "loss"}
    assert not content["left_out"]
    (values,) = [row for row in content["rows"] if row["name"] == "as traced" and "cases" in row]
    assert values["values"] < 2e-5 and values["gradients"] < 1e-5


@pytest.mark.slow
def test_the_bench_for_a_gpu_names_the_rows_for_which_no_time_was_left(tmp_path):
    content = rows_of(tmp_path / "gpu.json", "--only", "evaluation", "--minutes", "0")
    assert content["rows"] == []
    assert content["left_out"] == ["machine: this", "evaluation: 200 x 1,000"]
