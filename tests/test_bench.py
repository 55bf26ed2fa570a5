"""Quick forms of the benches: they run, and write every page."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[1] / "scripts/bench"


def rows_of(output, *options, **environment):
    request = [sys.executable, BENCH / "gpu.py", "--quick", "--output", output, *options]
    subprocess.run(request, check=True, env=os.environ | environment)
    content = json.loads(output.read_text())
    assert not [row for row in content["rows"] if "failed" in row]
    return content


@pytest.mark.slow
def test_the_bench_for_a_gpu_measures_every_section(tmp_path, mnist_dir, golden):
    content = rows_of(tmp_path / "gpu.json", "--golden", golden, TFDS_DATA_DIR=str(mnist_dir))
    sections = {row["section"] for row in content["rows"]}
    assert sections == {"machine", "golden", "step", "mnist", "loss"}
    assert not content["left_out"]
    (values,) = [row for row in content["rows"] if row["name"] == "as traced" and "cases" in row]
    assert values["values"] < 2e-5 and values["gradients"] < 1e-5


@pytest.mark.slow
def test_the_bench_for_a_gpu_names_the_rows_for_which_no_time_was_left(tmp_path):
    content = rows_of(tmp_path / "gpu.json", "--only", "step", "--minutes", "0")
    assert content["rows"] == []
    assert content["left_out"] == [
        "machine: this",
        "step: two convolutions, B = 32, float32, XLA",
        "step: two convolutions, B = 32, float32, XLA, images sent",
        "step: two convolutions, B = 32, float32, as traced",
    ]


@pytest.mark.slow
def test_every_page_of_measurements_is_written_by_one_command(tmp_path, mnist_dir):
    request = [sys.executable, BENCH / "all.py", "--quick", "--output", tmp_path]
    environment = os.environ | {"TFDS_DATA_DIR": str(mnist_dir)}
    subprocess.run(request, check=True, env=environment, cwd=tmp_path)
    pages = {page.stem: page.read_text() for page in tmp_path.glob("*.md")}
    assert pages.keys() == {"accuracy", "losses", "step", "input_output", "retrieval"}
    for text in pages.values():
        title, _, stamp = text.splitlines()[:3]
        assert title.startswith("# ") and "commit" in stamp and "cores" in stamp
        assert "| ---" in text and "Not measured" not in text
