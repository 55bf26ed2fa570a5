"""The demo reaches what it promises, prints what pages show, and is found again in every form."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.commands import MODULES
from tests.helpers.tables import pixels
from triplet_train.cli.embed import main as embed
from triplet_train.cli.export import main as export
from triplet_train.cli.search import main as search
from triplet_train.config import DataConfig
from triplet_train.data.source import open_source
from triplet_train.registry import EXPORTS

ROOT = Path(__file__).parents[1]
TEXT = re.compile(r"^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Python, or a command with what it prints.
STEP = re.compile(
    r"^```python\n(.*?)^```$|^    (triplet-[^\n]+)\n\n```text\n(.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@pytest.fixture(scope="module")
def demo(tmp_path_factory, data_dir):
    """The folder in which the tour's first command left `runs/demo`, and what it printed."""
    place = tmp_path_factory.mktemp("demo")
    _, request, _ = tour()[0]
    program = [sys.executable, "-c", "from triplet_train.cli.start import train; train()"]
    request = [*program, *shlex.split(request)[1:], "--data-dir", data_dir]
    paths = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(request, cwd=place, env=paths, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return place, done.stderr + done.stdout


def read(page):
    return (ROOT / page).read_text(encoding="utf-8")


def tour():
    """Python, or command and output, of each step of the README's tour."""
    page = read("README.md")
    return STEP.findall(re.search(r"^## A tour\n.*?(?=^## )", page, re.M | re.S)[0])


def without_numbers(text):
    """Lines of the text, with # for each number and single spaces."""
    return [" ".join(re.sub(r"[\d.,]+", "#", line).split()) for line in text.splitlines()]


@pytest.mark.slow
def test_the_demo_reaches_recall_0_98_on_held_out_digits(demo):
    metrics = json.loads((demo[0] / "runs/demo/metrics.json").read_text())
    assert metrics["split"] == "test" and metrics["recall_at_1"] >= 0.98


@pytest.mark.slow
def test_the_demo_prints_what_pages_show(demo, command, monkeypatch):
    for package in EXPORTS["onnx"].packages + EXPORTS["litert"].packages:
        pytest.importorskip(package, reason="pip install 'triplet-train[onnx,litert]'")
    place, printed_by_training = demo
    monkeypatch.chdir(place)
    evaluate = "triplet-eval --checkpoint runs/demo"
    both = (evaluate, f"{evaluate} --episodes 1000 --ways 5 --shots 1")
    steps = tour() + [step for step in STEP.findall(read("docs/serving.md")) if step[1]]
    steps += zip(("", ""), both, TEXT.findall(read("docs/evaluation.md")), strict=True)
    commands = []
    for python, request, expected in steps:
        if python:
            exec(compile(python, "README.md", "exec"), {})
            continue
        program, *arguments = shlex.split(request)
        commands.append(program.removeprefix("triplet-"))
        printed = printed_by_training
        if program != "triplet-train":
            status, out, err = command(MODULES[program].main, *arguments)
            assert status == 0, err
            printed = err + out
        lines = iter(without_numbers(printed))
        for line in without_numbers(expected):
            assert line in lines, (request, line)
    five = ["train", "eval", "embed", "search", "export"]
    assert commands == [*five, "search", "export", "export", "eval", "eval"]


@pytest.mark.slow
@pytest.mark.parametrize("format", EXPORTS)
def test_the_demo_is_found_again_in_every_form(demo, command, workplace, data_dir, format):
    for package in EXPORTS[format].packages:
        pytest.importorskip(package, reason=f"pip install 'triplet-train[{format}]'")
    run, form = demo[0] / "runs/demo", f"demo{EXPORTS[format].suffix}"
    assert command(export, "--checkpoint", run, "--output", form)[0] == 0
    digits = open_source(DataConfig(dataset="digits", data_dir=str(data_dir)))
    known, new = digits.table("train[:20]"), digits.table("test[:20]")
    images = [*pixels(known), *pixels(new)]
    photographs = [f"{number:02d}.png" for number in range(len(images))]
    for image, name in zip(images, photographs, strict=True):
        Image.fromarray(image[..., 0]).save(name)
    found = []
    for number, (embedder, searcher) in enumerate(
        [(run, run), (form, form), (run, form), (form, run)]
    ):
        gallery, answer = f"{number}.parquet", f"{number}.json"
        options = ("--checkpoint", embedder, "--split", "train", "--output", gallery)
        assert command(embed, *options)[0] == 0
        options = ("--checkpoint", searcher, "--gallery", gallery, "--json", answer, *photographs)
        assert command(search, *options)[0] == 0
        nearest = [one["neighbours"][0] for one in json.loads(Path(answer).read_text())["images"]]
        found.append([near["id"] for near in nearest])
        assert found[-1] == found[0] and found[0][:20] == known.ids
        assert max(near["distance"] for near in nearest[:20]) < 1e-4
        classes = [int(near["label_name"]) for near in nearest[20:]]
        assert np.mean(classes == new.labels) >= 0.9
