"""The main road on real MNIST, with -m slow; tests/test_demo.py goes the same road on digits."""

import json

import numpy as np
import pytest

from tests.helpers.commands import changed
from triplet_train.cli.embed import main as embed
from triplet_train.cli.train import main as train
from triplet_train.embeddings.files import read_table


@pytest.mark.slow
def test_a_few_steps_on_mnist_give_embeddings_worth_having(tmp_path, command, mnist_dir):
    run = tmp_path / "run"
    short = ["data.train_split=train[:5000]", "data.eval_split=train[5000:5500]"]
    options = changed(*short, "train.steps=60", "embeddings.splits=['test[:1000]']")
    request = ["--config", "mnist_semihard", "--data-dir", mnist_dir, "--run-dir", run, *options]
    status, _, err = command(train, *request)
    assert status == 0, err
    assert json.loads((run / "metrics.json").read_text())["recall_at_1"] > 0.9


@pytest.mark.slow
def test_mnist_semihard_reaches_recall_0_99_and_exports_the_test_set(tmp_path, command, mnist_dir):
    run, file = tmp_path / "run", tmp_path / "test.parquet"
    request = ["--config", "mnist_semihard.yaml", "--data-dir", mnist_dir, "--run-dir", run]
    status, _, err = command(train, *request)
    assert status == 0, err
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["split"] == "test" and metrics["recall_at_1"] >= 0.99
    assert command(embed, "--checkpoint", run, "--output", file)[0] == 0
    table = read_table(file)
    assert table.embeddings.shape == (10_000, 64) and len(set(table.ids)) == 10_000
    np.testing.assert_allclose(np.linalg.norm(table.embeddings, axis=1), 1, atol=1e-6)
