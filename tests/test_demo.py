"""What `make demo` promises."""

import json

import pytest

from triplet_train.cli.train import main as train


@pytest.mark.slow
def test_the_demo_reaches_recall_0_98_on_held_out_digits(tmp_path, command, data_dir):
    run = tmp_path / "demo"
    request = ["--config", "digits_semihard", "--run-dir", run, "--data-dir", data_dir]
    status, _, err = command(train, *request)
    assert status == 0, err
    figures = json.loads((run / "metrics.json").read_text())
    assert figures["split"] == "test" and figures["recall_at_1"] >= 0.98
