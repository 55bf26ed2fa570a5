"""The demo reaches what it promises, and pages show what triplet-eval prints of it."""

import json
import re
from pathlib import Path

import pytest

from triplet_train.cli.evaluate import main as evaluate
from triplet_train.cli.train import main as train

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "docs/evaluation.md"]


def without_numbers(text):
    """Lines of the text, with # for each number and single spaces."""
    return [" ".join(re.sub(r"[\d.,]+", "#", line).split()) for line in text.splitlines()]


@pytest.mark.slow
def test_the_demo_reaches_recall_0_98_on_held_out_digits_and_prints_what_pages_show(
    tmp_path, command, data_dir
):
    run = tmp_path / "runs/demo"
    request = ["--config", "digits_semihard", "--run-dir", run, "--data-dir", data_dir]
    status, _, err = command(train, *request)
    assert status == 0, err
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["split"] == "test" and metrics["recall_at_1"] >= 0.98
    printed = []
    for more in ([], ["--episodes", 1000, "--ways", 5, "--shots", 1]):
        request = ["--checkpoint", run, "--data-dir", data_dir, *more]
        status, out, err = command(evaluate, *request)
        assert status == 0, err
        printed += without_numbers(out.replace(f"{tmp_path}/", ""))
    pages = "".join(page.read_text() for page in PAGES)
    shown = re.findall(r"^```text\n(.*?)^```$", pages, re.MULTILINE | re.DOTALL)
    assert len(shown) == 3
    for line in without_numbers("".join(shown)):
        assert line in printed
