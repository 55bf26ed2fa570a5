"""triplet-eval --against: runs and files on the same images."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.made_files import embedding_file
from triplet_train.cli.evaluate import main as evaluate
from triplet_train.embeddings.files import read_table, write_table
from triplet_train.evaluation import evaluate as evaluate_vectors
from triplet_train.evaluation import examples_of


@pytest.fixture
def files(workplace):
    """Files a_0, a_1, b_0, b_1 of two strategies and two seeds, in different orders of images."""
    first = read_table(embedding_file(workplace / "x.npz", np.arange(60) % 3))
    rng = np.random.default_rng(0)
    for strategy, noise in (("a", 0.3), ("b", 0.9)):
        for seed in (0, 1):
            order = rng.permutation(60)
            vectors = (first.embeddings + rng.normal(0, noise, (60, 3))).astype(np.float32)
            config = {"seed": seed, "loss": {"strategy": strategy}}
            table = replace(
                first,
                embeddings=vectors[order],
                labels=first.labels[order],
                label_names=[first.label_names[row] for row in order],
                ids=[first.ids[row] for row in order],
                metadata={"config": config},
            )
            write_table(table, workplace / f"{strategy}_{seed}.npz", "npz")
    return workplace


def test_files_are_compared_whatever_the_order_of_their_images(files, command):
    request = ["--queries", "a_0.npz", "--against", "b_0.npz", "--json", "x.json"]
    status, out, err = command(evaluate, *request)
    assert (status, err) == (0, "")
    (found,) = json.loads((files / "x.json").read_text())["comparisons"]
    tables = [read_table(files / f"{name}_0.npz") for name in "ab"]
    one, two = (evaluate_vectors(*examples_of([table])) for table in tables)
    for name, values in found["differences"].items():
        expected = one.metrics[name], two.metrics[name]
        assert (values["first"], values["other"]) == pytest.approx(expected, rel=1e-3, abs=5e-3)
        assert values["difference"] == values["first"] - values["other"]
        assert (values["interval"] is not None) == (name in one.per_query)
    assert found["first"] == {"name": "a", "runs": [{"run": "a_0.npz", "seed": 0}]}
    assert found["differing_settings"] == ["loss.strategy"]
    assert not found["intervals_cover_training"] and (found["queries"], found["query_classes"]) == (
        60,
        3,
    )
    assert all(f"\n{sentence}\n" in out for sentence in found["sentences"])
    assert "a is ahead of b by " in out and "do not include the noise of training" in out


def test_runs_of_several_seeds_form_two_sides_however_they_are_named(files, command):
    requests = (
        ["--queries", "a_0.npz", "a_1.npz", "--against", "b_0.npz", "b_1.npz"],
        [
            "--queries",
            "a_0.npz",
            "--queries",
            "a_1.npz",
            "--against",
            "b_0.npz",
            "--against",
            "b_1.npz",
        ],
        ["--queries", "a_0.npz", "--against", *(f"./{n}_{s}.npz" for s in (0, 1) for n in "ba")],
    )
    answers = []
    for request in requests:
        assert command(evaluate, *request, "--json", "x.json", "--overwrite")[0] == 0
        (found,) = json.loads((files / "x.json").read_text())["comparisons"]
        assert [len(found[side]["runs"]) for side in ("first", "other")] == [2, 2]
        assert found["intervals_cover_training"]
        answers.append(found["differences"])
    assert answers[0] == answers[1] == answers[2]


def test_groups_and_roles_are_those_of_the_first_file(files, command):
    import pyarrow as pa

    table = read_table(files / "a_0.npz")
    roles = pa.array(["query" if row % 2 else "gallery" for row in range(60)])
    write_table(replace(table, columns={"role": roles}), files / "roles.npz", "npz")
    request = ["--queries", "roles.npz", "--against", "a_0.npz", "b_0.npz", "--json", "x.json"]
    assert command(evaluate, *request)[0] == 0
    found = json.loads((files / "x.json").read_text())
    assert [each["queries"] for each in found["comparisons"]] == [30, 30]
    differences = found["comparisons"][0]["differences"]
    assert all(values["difference"] == 0 for values in differences.values())


def test_a_checkpoint_is_compared_with_another_of_its_run_and_with_a_file(
    workplace, command, finished_run
):
    best = (finished_run / "checkpoints/best").resolve()
    (other,) = set((finished_run / "checkpoints").glob("step_*[12]0")) - {best}
    file = finished_run / "embeddings/test.npz"
    request = ["--checkpoint", finished_run, "--against", other, file, "--json", "x.json"]
    status, out, err = command(evaluate, *request)
    assert status == 0, err
    found = json.loads((workplace / "x.json").read_text())["comparisons"]
    assert [each["other"]["name"] for each in found] == [str(other), str(file)]
    spans = [max(abs(v["difference"]) for v in each["differences"].values()) for each in found]
    assert spans[0] > 0 and spans[1] < 1e-6
    assert out.count("\nComparison\n") == 2


def test_other_images_are_refused_before_anything_is_embedded(
    workplace, command, finished_run, monkeypatch
):
    from triplet_train.jobs.open_tower import OpenTower

    monkeypatch.setattr(OpenTower, "table", lambda *_: 1 / 0)
    other = embedding_file(workplace / "x.npz", [0, 0, 1, 1])
    status, _, err = command(evaluate, "--checkpoint", finished_run, "--against", other)
    assert status == 2 and "450 are only in" in err and "4 are only in" in err
    assert err.count("\n") == 1
