"""Episodes of triplet-eval: text, JSON, page and messages."""

import json
from html import unescape

import numpy as np
import pytest

from triplet_train.cli.evaluate import main as evaluate
from triplet_train.embeddings.files import read_table, write_table
from triplet_train.embeddings.table import EmbeddingTable
from triplet_train.evaluation import tables
from triplet_train.evaluation.episodes import Episodes, evaluate_episodes


@pytest.fixture
def small_file(workplace):
    """A file with classes a of 20 images, b of 5 and c of 1, and two images without a label."""
    names = [*(["a"] * 20 + ["b"] * 5 + ["c"]), "", ""]
    labels = np.array([0] * 20 + [1] * 5 + [2] + [-1] * 2)
    vectors = np.random.default_rng(0).normal(size=(28, 3)).astype(np.float32)
    ids = [str(row) for row in range(28)]
    write_table(EmbeddingTable(vectors, labels, names, ids, {}), workplace / "x.npz", "npz")
    return "x.npz"


def test_episodes_of_a_checkpoint_and_of_its_file_are_printed_written_and_shown(
    workplace, command, finished_run, without_tsne
):
    file = finished_run / "embeddings/test.npz"
    request = ["--episodes", "300", "--ways", "4", "--shots", "2", "--seed", "7", "--json"]
    status, out, err = command(evaluate, "--checkpoint", finished_run, *request, "a.json")
    assert (status, err) == (0, "")
    assert command(evaluate, "--queries", file, *request, "b.json", "--report", "b.html")[0] == 0
    first, second = (json.loads((workplace / f"{name}.json").read_text()) for name in "ab")
    table = read_table(file)
    expected = evaluate_episodes(table.embeddings, table.labels, Episodes(300, 4, 2, seed=7))
    assert (
        first["episodes"]
        == second["episodes"]
        == {
            **{"ways": 4, "shots": 2, "episodes": 300, "seed": 7},
            **{"queries_per_class": 15, "fewest_queries_per_class": 15},
            **{"accuracy": expected.accuracy, "interval": list(expected.interval)},
            **{"classes": 10, "classes_left_out": []},
        }
    )
    low, high = expected.interval
    assert out.splitlines()[-1] == (
        f"4-way 2-shot accuracy {expected.accuracy:.4f} +- {(high - low) / 2:.4f} "
        "(300 episodes drawn from 10 classes, 15 queries of each class, seed 7)"
    )
    assert "recall_at_1" in out and "recall_at_1" in first
    page = unescape((workplace / "b.html").read_text())
    for words in ("4-way 2-shot", f"{expected.accuracy:.4f}", f"{low:.4f} to {high:.4f}"):
        assert words in page
    assert "mean of 2 examples" in page and "15 queries of each class, seed 7" in page


def test_without_the_option_there_are_no_episodes_and_nothing_else_differs(
    workplace, command, small_file
):
    _, without, _ = command(evaluate, "--queries", small_file, "--json", "a.json")
    more = ["--episodes", "10", "--ways", "2", "--json", "b.json"]
    _, out, _ = command(evaluate, "--queries", small_file, *more)
    assert "shot" not in without and out.startswith(without)
    first, second = (json.loads((workplace / f"{name}.json").read_text()) for name in "ab")
    assert second.pop("episodes") and first == second


def test_ways_shots_and_seed_are_5_1_and_0_unless_given(workplace, command, finished_run):
    file = finished_run / "embeddings/test.npz"
    _, out, _ = command(evaluate, "--queries", file, "--episodes", "1000")
    assert "\n5-way 1-shot accuracy 0." in out
    assert out.endswith(
        "(1,000 episodes drawn from 10 classes, 15 queries of each class, seed 0)\n"
    )


def test_small_classes_give_fewer_queries_or_are_left_out_and_reported(
    workplace, command, small_file
):
    request = ["--queries", small_file, "--episodes", "10", "--ways", "2", "--json", "a.json"]
    _, out, _ = command(evaluate, *request)
    assert "(10 episodes drawn from 2 classes, 4 to 15 queries of each class, seed 0)" in out
    assert out.endswith("\n  left out, having fewer than 2 images: 1 of the classes (c)\n")
    found = json.loads((workplace / "a.json").read_text())["episodes"]
    assert found["classes"] == 2 and found["classes_left_out"] == [{"label": 2, "name": "c"}]
    assert (found["fewest_queries_per_class"], found["queries_per_class"]) == (4, 15)


def test_too_few_classes_are_refused_before_anything_is_evaluated(
    workplace, command, monkeypatch, small_file
):
    monkeypatch.setattr(tables, "evaluate", lambda *_, **__: 1 / 0)
    request = ["--queries", small_file, "--episodes", "9", "--ways", "3", "--json", "a.json"]
    status, out, err = command(evaluate, *request)
    assert (status, out) == (2, "") and err.endswith(
        "3-way 1-shot episodes need 3 classes of at least 2 images, but only 2 have as many\n"
    )
    assert err.count("\n") == 1 and not (workplace / "a.json").exists()
