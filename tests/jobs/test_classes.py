"""Classes that are held out, turned or missing, through every command."""

import json
from pathlib import Path

import pytest

from tests.helpers.commands import changed, configuration, empty_page, write_configuration
from tests.helpers.made_sets import Named, Plain
from triplet_train.cli.embed import main as embed
from triplet_train.cli.evaluate import main as evaluate
from triplet_train.cli.train import main as train
from triplet_train.config import Config
from triplet_train.console import SILENT
from triplet_train.embeddings.files import read_table
from triplet_train.jobs import report
from triplet_train.jobs.train.job import run
from triplet_train.run.folder import RunFolder
from triplet_train.run.request import TrainRequest

pytestmark = pytest.mark.usefixtures("without_pages")


@pytest.fixture(scope="module")
def unseen(tmp_path_factory, data_dir):
    """A run that is evaluated on the last three digits. Not to be changed."""
    folder = tmp_path_factory.mktemp("runs") / "unseen"
    data = {"dataset": "digits", "data_dir": str(data_dir), "eval_classes": ["7-9"]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "write_page", empty_page)
        run(TrainRequest(Config(**configuration(**data)), RunFolder(folder)), SILENT)
    return folder


def test_shards_of_what_is_held_out_are_the_whole_in_parts(workplace, command, unseen):
    request = ["--checkpoint", unseen, "--split", "test[:40]", "--output", "parts.npz", "--quiet"]
    for shard in range(1, 4):
        status, _, err = command(embed, *request, "--shard", f"{shard}/3")
        assert status == 0, err
    request[request.index("parts.npz")] = "whole.npz"
    assert command(embed, *request)[0] == 0
    parts, whole = (read_table(workplace / name) for name in ("parts.npz", "whole.npz"))
    assert parts.ids == whole.ids and set(whole.labels.tolist()) == {7, 8, 9}


def test_a_version_of_the_set_of_the_run_is_evaluated_with_the_same_classes(
    workplace, command, unseen
):
    request = ["--checkpoint", unseen, "--quiet"]
    plain = command(evaluate, *request)
    assert plain[0] == 0 and "classes: 7-9" in plain[1]
    assert command(evaluate, *request, "--dataset", "digits:1.0.0") == plain


def test_held_out_classes_are_not_trained_on_and_are_the_only_ones_evaluated(
    workplace, command, data_dir
):
    write_configuration("unseen", dataset="digits", data_dir=str(data_dir), train_classes=["0-4"])
    assert (
        "test, classes all but 0-4: " in command(train, "--config", "unseen.yaml", "--dry-run")[1]
    )
    request = ["--config", "unseen.yaml", "--run-dir", "run", "--quiet"]
    assert command(train, *request)[0] == 0
    table = read_table(workplace / "run/embeddings/test.parquet")
    assert set(table.labels.tolist()) == {5, 6, 7, 8, 9}
    assert table.metadata["classes"] == "all but 0-4"
    request = ["--checkpoint", "run", "--json", "x.json", "--overwrite", "--quiet"]
    assert "\nclasses: all but 0-4\n" in command(evaluate, *request)[1]
    answer = json.loads(Path("x.json").read_text())
    assert answer["evaluated_classes"] == "all but 0-4" and len(answer["classes"]) == 5
    of_the_run = json.loads(Path("run/metrics.json").read_text())
    assert answer["recall_at_1"] == of_the_run["recall_at_1"]
    assert (
        command(evaluate, *request, "--classes", "0-2,4", "--episodes", "20", "--ways", "4")[0] == 0
    )
    answer = json.loads(Path("x.json").read_text())
    assert {row["label"] for row in answer["classes"]} == {0, 1, 2, 4}
    request = ["--checkpoint", "run", "--classes", "all", "--output", "all.npz"]
    assert command(embed, *request)[0] == 0
    assert len(read_table(workplace / "all.npz").ids) == 450


@pytest.mark.slow
def test_class_rotations_are_trained_on_exported_and_evaluated(workplace, command, data_dir):
    write_configuration("turned", dataset="digits", data_dir=str(data_dir), class_rotations=True)
    request = ["--config", "turned.yaml", "--run-dir", "run", "--quiet"]
    status, _, err = command(train, *request, *changed("batch.classes=40"))
    assert (status, err) == (0, "")
    table = read_table(workplace / "run/embeddings/test.parquet")
    assert len(table.ids) == 4 * 450 and {"3@0", "3@90", "3@180", "3@270"} < set(table.label_names)


def test_a_set_with_texts_as_labels_is_trained_on_and_exported_with_its_names(workplace, command):
    Named(data_dir=workplace / "sets").download_and_prepare()
    options = {"data_dir": "sets", "eval_split": "train", "train_classes": "50%"}
    write_configuration("named", dataset="named", **options)
    request = ["--config", "named.yaml", *changed("batch.classes=2"), "--run-dir", "run", "--quiet"]
    status, _, err = command(train, *request)
    assert (status, err) == (0, "")
    own = read_table(workplace / "run/embeddings/train.parquet")
    classes = json.loads(Path("run/environment.json").read_text())["classes"]
    assert classes == ["Al", "Bo", "Cy", "Di", "Zoë"]
    assert [classes[label] for label in own.labels.tolist()] == own.label_names
    request = ["--checkpoint", "run", "--split", "train", "--output", "x.npz", "--overwrite"]
    for share, count in (("50%", len(set(own.label_names))), ("25%", 1)):  # the last of the order
        assert command(embed, *request, "--classes", share)[0] == 0
        found = read_table(workplace / "x.npz")
        assert found.metadata["classes"] == share and len(set(found.label_names)) == count
        assert set(found.ids) <= set(own.ids)
    request[request.index("train")] = "test"
    assert command(embed, *request, "--classes", "Di")[0] == 0
    assert set(read_table(workplace / "x.npz").label_names) == {"Di"}


def test_a_set_without_labels_is_embedded_and_not_trained_on(workplace, command, finished_run):
    Plain(data_dir=workplace / "sets").download_and_prepare()
    where = ["--dataset", "plain", "--data-dir", "sets"]
    status, _, err = command(embed, "--checkpoint", finished_run, *where, "--output", "x.npz")
    assert status == 0 and "have no label" in err
    assert read_table(workplace / "x.npz").labels.tolist() == [-1] * 7
    write_configuration("plain", dataset="plain", data_dir="sets", train_split="test")
    status, _, err = command(train, "--config", "plain.yaml")
    assert status == 2 and "data.label_key" in err and not Path("runs").exists()
