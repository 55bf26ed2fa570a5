"""The commands on folders, on held-out classes, and on sets that are not held in memory."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.helpers.made_sets import Plain, make_folder
from tests.helpers.tables import pixels
from triplet_train.cli.embed import main as embed
from triplet_train.cli.evaluate import main as evaluate
from triplet_train.cli.train import main as train
from triplet_train.config import Config, DataConfig
from triplet_train.console import SILENT
from triplet_train.data.source import open_source
from triplet_train.data.sources import image_folder
from triplet_train.embeddings.files import read_table
from triplet_train.jobs import report
from triplet_train.jobs.train.job import run
from triplet_train.run.folder import RunFolder
from triplet_train.run.request import Request

SMALL = {
    "batch": {"classes": 4, "per_class": 4},
    "model": {"filters": [8], "embedding_dim": 8},
    "loss": {"strategy": "naive"},  # which is compiled soonest
    "train": {"steps": 8, "log_every": 4, "eval_every": 4},
}


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(report, "write_page", lambda evaluated, file, title: file.touch())
    return tmp_path


def write(name, **data):
    Path(f"{name}.yaml").write_text(yaml.safe_dump({"data": data} | SMALL))


@pytest.fixture
def photos(workplace, data_dir):
    """Colour JPEGs of many sizes, in a folder for each of five digits."""
    digits = open_source(DataConfig(dataset="digits", data_dir=str(data_dir), channels=3))
    table = digits.table("train[:200]")
    for row, (image, label) in enumerate(zip(pixels(table), table.labels, strict=True)):
        if label < 5:
            file = workplace / "photos" / f"digit {label}" / f"{row}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).resize((20 + row % 9, 15 + row % 7)).save(file)
    write("photos", dataset="image_folder", path="photos", train_split="70%", eval_split="-30%")
    return workplace


def without_clock(run):
    lines = [json.loads(line) for line in (Path(run) / "metrics.jsonl").open()]
    return [
        {k: v for k, v in line.items() if k not in ("images_per_second", "data_wait")}
        for line in lines
    ]


def test_a_folder_of_jpegs_is_trained_on_from_memory_and_from_disk_alike(photos, command):
    request = ["--config", "photos.yaml", "--set", "data.image_size=[16, 16]"]
    status, out, err = command(train, *request, "--dry-run")
    assert (status, err) == (0, "")
    for fact in (
        f"data set   {photos}/photos",
        "of 5 classes",
        "stored as from 15 x 20",
        "read as 16 x 16 x 3",
        "held in memory (data.cache: auto",
    ):
        assert fact in out
    for cache in ("memory", "1 KiB"):
        status, _, err = command(
            train, *request, "--set", f"data.cache={cache}", "--run-dir", cache, "--quiet"
        )
        assert (status, err) == (0, "")
    assert without_clock("memory") == without_clock("1 KiB")
    tables = [
        read_table(photos / run / "embeddings/last-30%.parquet") for run in ("memory", "1 KiB")
    ]
    np.testing.assert_array_equal(tables[0].embeddings, tables[1].embeddings)
    assert command(embed, "--checkpoint", "memory", "--output", "x.npz")[0] == 0
    again = read_table(photos / "x.npz")
    assert again.ids == tables[0].ids and again.ids[0].startswith("digit 0/")
    np.testing.assert_array_equal(again.embeddings, tables[0].embeddings)


def test_a_file_in_two_classes_is_looked_for_and_said_once_by_each_command(
    photos, command, monkeypatch
):
    """Between what is trained on and what is judged, too."""
    looked_for, look = [], image_folder.in_two_classes

    def counted(folder, classes, *console):
        looked_for.append(classes)
        return look(folder, classes, *console)

    monkeypatch.setattr(image_folder, "in_two_classes", counted)
    request = ["--config", "photos.yaml", "--set", "data.image_size=[8, 8]", "--run-dir", "run"]
    request += ["--set", "embeddings.splits=['-30%', '70%']", "--set", "train.steps=4"]
    source = open_source(
        DataConfig(dataset="image_folder", path="photos", image_size=(8, 8), train_split="70%")
    )
    trained, judged = (source.table(split).ids for split in ("70%", "-30%"))
    (photos / "photos" / judged[-1]).write_bytes((photos / "photos" / trained[0]).read_bytes())
    pair = f"{trained[0]} = {judged[-1]}"  # of the first class and the last
    said = f"1 image files are in two classes, byte for byte: {pair}\n"
    assert command(train, *request, "--dry-run")[1].count(said) == 1
    assert command(train, *request)[2].count(said) == 1
    assert [len(classes) for classes in looked_for] == [len(trained) + len(judged)] * 2
    for split, times in ((":", 1), ("-30%", 0)):
        answers = [
            command(evaluate, "--checkpoint", "run", "--split", split),
            command(embed, "--checkpoint", "run", "--split", split, "--output", f"{times}.npz"),
        ]
        assert [(status, err.count(said)) for status, _, err in answers] == [(0, times)] * 2
    assert len(looked_for) == 6
    shard = ["--split", ":", "--shard", "2/2", "--output", "parts.npz"]
    assert command(embed, "--checkpoint", "run", *shard)[0] == 0 and len(looked_for) == 6


def test_a_run_goes_on_with_the_images_it_began_with_wherever_they_are_and_no_others(
    photos, command
):
    """Though the run lies in their folder, with pictures of its own."""
    request = ["--config", "photos.yaml", "--set", "data.image_size=[8, 8]", "--quiet"]
    assert command(train, *request, "--run-dir", "photos/runs/1")[0] == 0
    make_folder(photos / "photos/runs/1/plots", ["map.png"])
    request += ["--set", "train.steps=12", "--resume", "--run-dir"]
    extra = make_folder(photos / "photos", ["digit 1/extra.png"]) / "digit 1/extra.png"
    status, _, err = command(train, *request, "photos/runs/1")
    assert status == 2 and "was started with other images or labels in" in err
    extra.unlink()
    (photos / "photos").rename("elsewhere")
    run = "elsewhere/runs/1"
    status, _, err = command(evaluate, "--checkpoint", run, "--quiet")
    assert status == 2 and "photos" in err
    assert command(evaluate, "--checkpoint", run, "--data-dir", "elsewhere", "--quiet")[0] == 0
    assert command(train, *request, run, "--set", "data.path=elsewhere")[0] == 0
    make_folder(photos / "elsewhere", ["a new class/1.png", "a new class/2.png"])
    status, _, err = command(embed, "--checkpoint", run, "--split", ":", "--output", "x.npz")
    assert status == 0 and "are new since the run began" in err
    table = read_table(photos / "x.npz")
    assert set(zip(table.labels.tolist(), table.label_names, strict=True)) == {
        *((n, f"digit {n}") for n in range(5)),
        (5, "a new class"),
    }


@pytest.mark.slow
def test_a_run_that_trains_and_judges_on_one_split_is_not_resumed_with_other_images(
    photos, command
):
    sizes = ["--set", "data.image_size=[8, 8]", "--set", "batch.classes=3"]
    splits = [f"data.{key}_split=':100%'" for key in ("train", "eval")]
    request = ["--config", "photos.yaml", *sizes, "--run-dir", "run", "--quiet"]
    for override in (*splits, "data.eval_classes=[digit 3, digit 4]"):
        request += ["--set", override]
    assert command(train, *request)[0] == 0
    make_folder(photos / "photos", ["digit 1/extra.png"])
    status, _, err = command(train, *request, "--set", "train.steps=16", "--resume")
    assert status == 2 and "other images or labels in data.train_split" in err


@pytest.fixture(scope="module")
def unseen(tmp_path_factory, data_dir):
    """A run that is evaluated on the last three digits. Not to be changed."""
    folder = tmp_path_factory.mktemp("runs") / "unseen"
    data = {"dataset": "digits", "data_dir": str(data_dir), "eval_classes": ["7-9"]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "write_page", lambda evaluated, file, title: file.touch())
        run(Request(Config(data=data, **SMALL), RunFolder(folder)), SILENT)
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


def test_held_out_classes_are_not_trained_on_and_alone_are_evaluated(workplace, command, data_dir):
    write("unseen", dataset="digits", data_dir=str(data_dir), train_classes=["0-4"])
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
    write("turned", dataset="digits", data_dir=str(data_dir), class_rotations=True)
    request = ["--config", "turned.yaml", "--run-dir", "run", "--quiet"]
    status, _, err = command(train, *request, "--set", "batch.classes=40")
    assert (status, err) == (0, "")
    table = read_table(workplace / "run/embeddings/test.parquet")
    assert len(table.ids) == 4 * 450 and {"3@0", "3@90", "3@180", "3@270"} < set(table.label_names)


def test_a_set_without_labels_is_embedded_and_not_trained_on(workplace, command, finished_run):
    Plain(data_dir=workplace / "sets").download_and_prepare()
    where = ["--dataset", "plain", "--data-dir", "sets"]
    status, _, err = command(embed, "--checkpoint", finished_run, *where, "--output", "x.npz")
    assert status == 0 and "have no label" in err
    assert read_table(workplace / "x.npz").labels.tolist() == [-1] * 7
    write("plain", dataset="plain", data_dir="sets", train_split="test")
    status, _, err = command(train, "--config", "plain.yaml")
    assert status == 2 and "data.label_key" in err and not Path("runs").exists()
