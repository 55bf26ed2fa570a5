"""The three commands as a user meets them: what they write, say and refuse."""

import json
import os
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from triplet_train.cli.embed import main as embed
from triplet_train.cli.evaluate import main as evaluate
from triplet_train.cli.train import main as train
from triplet_train.embeddings.files import read_table

SMALL = [
    "batch.per_class=4",
    "model.filters=[8]",
    "model.embedding_dim=16",
    "train.steps=20",
    "train.eval_every=10",
    "train.checkpoint_every=10",
]
FIGURES = {"recall_at_1", "recall_at_5", "recall_at_10", "r_precision", "map_at_r", "map", "mrr"}


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def small_run(data_dir, *more):
    options = [part for key in SMALL for part in ("--set", key)]
    return ["--config", "digits_semihard", "--data-dir", data_dir, *options, *more]


def everything_below(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_a_run_leaves_what_the_documentation_promises(workplace, command, data_dir):
    status, out, err = command(train, *small_run(data_dir))
    assert status == 0
    folder = workplace / "runs" / "digits_semihard"
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "config.yaml",
        "environment.json",
        "metrics.jsonl",
        "metrics.json",
        "checkpoints",
        "embedder.keras",
        "embeddings",
        "tensorboard",
    }
    assert {p.name for p in (folder / "embeddings").iterdir()} == {
        "test.parquet",
        "test.npz",
        "test.projector",
    }
    figures = json.loads((folder / "metrics.json").read_text())
    assert set(figures) == FIGURES | {"step", "split", "splits"} and figures["split"] == "test"
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["packages"]["tensorflow"] and "digits_semihard" in environment["command"]
    assert "recall@1" in out and "triplet-embed --checkpoint runs/digits_semihard" in out
    assert "step 20/20" in err and "images/s" in err and "left" in err

    # The resolved configuration alone makes the same run again.
    again = ["--config", folder / "config.yaml", "--run-dir", "again", "--quiet"]
    status, out, err = command(train, *again)
    assert (status, err) == (0, "")
    first, second = (read_table(f / "embeddings/test.npz") for f in (folder, workplace / "again"))
    np.testing.assert_array_equal(first.embeddings, second.embeddings)


def test_a_run_is_never_touched_unasked(workplace, command, data_dir, finished_run):
    shutil.copytree(finished_run, workplace / "run", symlinks=True)
    before = everything_below(workplace)
    request = ["--config", "run/config.yaml", "--run-dir", "run"]
    status, _, err = command(train, *request)
    assert status == 2 and "--resume" in err and "--overwrite" in err
    assert err.count("\n") == 1 and everything_below(workplace) == before
    status, out, _ = command(train, *request, "--resume")
    assert status == 0 and "finished" in out and everything_below(workplace) == before
    status, _, err = command(train, *request, "--resume", "--set", "loss.margin=0.9")
    assert status == 2 and "loss.margin: 0.3 -> 0.9" in err
    status, _, err = command(train, *request, "--resume", "--overwrite")
    assert status == 2 and everything_below(workplace) == before
    status, _, _ = command(train, *request, "--overwrite", "--set", "train.steps=2")
    assert status == 0
    assert yaml.safe_load((workplace / "run/config.yaml").read_text())["train"]["steps"] == 2


def test_a_folder_that_is_not_a_run_is_never_replaced(workplace, command, data_dir):
    (workplace / "thesis.txt").write_text("years of work")
    status, _, err = command(train, *small_run(data_dir, "--run-dir", ".", "--overwrite"))
    assert status == 2 and "other than a run" in err
    assert [path.name for path in workplace.iterdir()] == ["thesis.txt"]


def test_a_dry_run_says_what_would_happen_and_writes_nothing(workplace, command):
    sets = workplace / "sets"
    status, out, err = command(train, *small_run(sets, "--dry-run"))
    assert (status, err) == (0, "")
    assert yaml.safe_load(out)["train"]["steps"] == 20
    for fact in (
        "1,145 images",
        "202 images",
        "450 images",
        "10 classes",
        "steps      20",
        "parameters",
    ):
        assert fact in out
    assert not any(workplace.iterdir())


REFUSED = {
    "unknown key": (["--set", "loss.margni=1"], "did you mean loss.margin?"),
    "impossible P": (["--set", "batch.classes=11"], "batch.classes: digits/1.0.0 has 10 classes"),
    "impossible K": (["--set", "batch.per_class=1"], "batch.per_class"),
    "unknown data set": (["--set", "data.dataset=digitz"], "did you mean digits?"),
    "unknown split": (["--set", "data.train_split=trian"], "'trian'"),
    "nothing to judge": (["--set", "data.eval_split=test[:2]"], "data.eval_split"),
    "unknown export split": (["--set", "embeddings.splits=[tset]"], "'tset'"),
    "unknown configuration": (["--config", "nope"], "nope"),
    "resume of nothing": (["--resume"], "nothing to resume"),
    "file as run folder": (["--run-dir", "a_file"], "a_file is a file"),
    "unknown option": (["--margin", "3"], "--margin"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_wrong_training_request_ends_with_2_names_the_culprit_and_writes_nothing(
    workplace, command, data_dir, case
):
    (workplace / "a_file").touch()
    options, culprit = REFUSED[case]
    status, out, err = command(train, *small_run(data_dir, *options))
    assert (status, out) == (2, "")
    assert culprit in err and "Traceback" not in err
    assert [path.name for path in workplace.iterdir()] == ["a_file"]


@pytest.mark.parametrize("name", ["out.parquet", "out.npz", "out"])
def test_embeddings_of_any_split_are_exported_in_every_format(
    workplace, command, finished_run, data_dir, name
):
    format_ = ["--format", "projector"] if name == "out" else []
    request = ["--checkpoint", finished_run, "--output", name, "--split", "train[:30]", *format_]
    status, out, _ = command(embed, *request)
    assert (status, out) == (0, f"{name}: 30 vectors of 16 dimensions\n")
    assert [path.name for path in workplace.iterdir()] == [name]
    if name != "out":
        table = read_table(workplace / name)
        assert table.embeddings.shape == (30, 16) and len(set(table.ids)) == 30
        np.testing.assert_allclose(np.linalg.norm(table.embeddings, axis=1), 1, atol=1e-6)
        about = table.metadata
        assert (about["dataset"], about["split"]) == ("digits/1.0.0", "train[:30]")
        assert about["config"]["model"]["embedding_dim"] == 16
        assert len(about["checkpoint_sha256"]) == 64
    status, _, err = command(embed, *request)
    assert status == 2 and "--overwrite" in err
    assert command(embed, *request, "--overwrite")[0] == 0


def test_an_export_is_the_same_from_run_checkpoint_and_file_and_equals_the_run_s_own(
    workplace, command, finished_run, data_dir
):
    own = pq.read_table(finished_run / "embeddings/test.parquet").to_pydict()
    places = {
        "run": [finished_run],
        "best": [finished_run / "checkpoints/best"],
        "file": [finished_run / "embedder.keras"],
    }
    for name, (place,) in places.items():
        assert command(embed, "--checkpoint", place, "--output", f"{name}.parquet")[0] == 0
        assert pq.read_table(f"{name}.parquet").to_pydict() == own


def test_a_bare_keras_file_asks_for_its_data_set(workplace, command, finished_run, data_dir):
    shutil.copy(finished_run / "embedder.keras", "tower.keras")
    request = ["--checkpoint", "tower.keras", "--output", "x.npz"]
    status, _, err = command(embed, *request)
    assert status == 2 and "--dataset" in err
    assert command(embed, *request, "--dataset", "digits", "--data-dir", data_dir)[0] == 0
    assert read_table(workplace / "x.npz").metadata["config"] is None


def test_a_data_set_of_other_size_is_brought_to_the_tower_and_of_other_channels_refused(
    workplace, command, finished_run, mnist_dir
):
    request = ["--checkpoint", finished_run, "--dataset", "mnist", "--data-dir", mnist_dir]
    status, _, err = command(embed, *request, "--split", "test[:20]", "--output", "x.npz")
    assert status == 0, err
    assert read_table(workplace / "x.npz").embeddings.shape == (20, 16)


REFUSED_EXPORTS = {
    "no checkpoint": (["--checkpoint", "nowhere"], "nowhere"),
    "empty folder": (["--checkpoint", "."], "no checkpoint"),
    "unknown split": (["--split", "tset"], "'tset'"),
    "unknown data set": (["--dataset", "digitz"], "did you mean digits?"),
    "unknown format": (["--format", "csv"], "csv"),
    "untold format": (["--output", "x.csv"], "x.csv"),
    "no folder": (["--output", "no/x.npz"], "there is no folder"),
    "no batch": (["--batch-size", "0"], "batch-size"),
}


@pytest.mark.parametrize("case", REFUSED_EXPORTS)
def test_a_wrong_export_ends_with_2_names_the_culprit_and_writes_nothing(
    workplace, command, finished_run, case
):
    options, culprit = REFUSED_EXPORTS[case]
    status, out, err = command(embed, "--checkpoint", finished_run, "--output", "x.npz", *options)
    assert (status, out) == (2, "")
    assert culprit in err and "Traceback" not in err
    assert not any(workplace.iterdir())


def test_a_checkpoint_and_its_exported_file_are_judged_alike(workplace, command, finished_run):
    status, out, _ = command(evaluate, "--checkpoint", finished_run, "--json", "a.json")
    assert status == 0 and "recall_at_1" in out
    file = finished_run / "embeddings/test.npz"
    assert command(evaluate, "--queries", file, "--json", "b.json")[0] == 0
    assert command(evaluate, "--queries", file, "--gallery", file, "--json", "c.json")[0] == 0
    answers = [json.loads((workplace / f"{name}.json").read_text()) for name in "abc"]
    run = json.loads((finished_run / "metrics.json").read_text())
    for answer in answers:
        assert {name: answer[name] for name in FIGURES} == {name: run[name] for name in FIGURES}
        assert answer["queries"] == 450


def test_queries_search_a_gallery_of_the_same_checkpoint_only(workplace, command, finished_run):
    for name, split in (("q.npz", "test[:50]"), ("g.parquet", "train[:200]")):
        command(embed, "--checkpoint", finished_run, "--split", split, "--output", name)
    status, _, _ = command(evaluate, "--queries", "q.npz", "--gallery", "g.parquet", "--json", "x")
    assert status == 0 and json.loads((workplace / "x").read_text())["queries"] == 50
    other = finished_run / "checkpoints" / "step_00000010"
    command(embed, "--checkpoint", other, "--output", "other.npz", "--split", "test[:40]")
    if (
        read_table(workplace / "other.npz").metadata["checkpoint_sha256"]
        != read_table(workplace / "q.npz").metadata["checkpoint_sha256"]
    ):
        status, _, err = command(evaluate, "--queries", "other.npz", "--gallery", "g.parquet")
        assert status == 2 and "different checkpoints" in err


REFUSED_EVALUATIONS = {
    "nothing": ([], "--checkpoint or --queries"),
    "both": (["--checkpoint", "a", "--queries", "b"], "--checkpoint or --queries"),
    "gallery alone": (["--checkpoint", "a", "--gallery", "b"], "--gallery"),
    "no file": (["--queries", "none.npz"], "none.npz"),
    "no format": (["--queries", "none.csv"], "none.csv"),
    "existing answer": (["--queries", "a.npz", "--json", "there"], "there exists"),
}


@pytest.mark.parametrize("case", REFUSED_EVALUATIONS)
def test_a_wrong_evaluation_ends_with_2_and_names_the_culprit(workplace, command, case):
    (workplace / "there").touch()
    options, culprit = REFUSED_EVALUATIONS[case]
    status, out, err = command(evaluate, *options)
    assert (status, out) == (2, "")
    assert culprit in err and "Traceback" not in err
    assert [path.name for path in workplace.iterdir()] == ["there"]


def test_ctrl_c_ends_with_130_and_resume_goes_on(workplace, command, data_dir, monkeypatch):
    import signal

    from triplet_train.training import loop

    judge = loop._judge

    def press_ctrl_c(*arguments):
        signal.raise_signal(signal.SIGINT)
        return judge(*arguments)

    monkeypatch.setattr(loop, "_judge", press_ctrl_c)
    status, _, err = command(train, *small_run(data_dir))
    assert status == 130 and "stopped at step 11 of 20" in err and "--resume" in err
    monkeypatch.undo()
    os.chdir(workplace)
    status, out, err = command(train, *small_run(data_dir, "--resume"))
    assert status == 0 and "recall@1" in out
