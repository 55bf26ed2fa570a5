"""A folder of images, through every command."""

import numpy as np
import pytest
from PIL import Image

from tests.helpers.commands import changed, write_configuration
from tests.helpers.made_sets import make_folder
from tests.helpers.run_contents import log_without_clock
from tests.helpers.tables import pixels
from triplet_train.cli.embed import main as embed
from triplet_train.cli.evaluate import main as evaluate
from triplet_train.cli.train import main as train
from triplet_train.config import DataConfig
from triplet_train.data import file_source
from triplet_train.data.source import open_source
from triplet_train.embeddings.files import read_table

pytestmark = pytest.mark.usefixtures("without_pages")


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
    write_configuration(
        "photos", dataset="image_folder", path="photos", train_split="70%", eval_split="-30%"
    )
    return workplace


def test_a_folder_of_jpegs_is_trained_on_from_memory_and_from_disk_alike(photos, command):
    request = ["--config", "photos.yaml", *changed("data.image_size=[16, 16]")]
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
            train, *request, *changed(f"data.cache={cache}"), "--run-dir", cache, "--quiet"
        )
        assert (status, err) == (0, "")
    assert log_without_clock(photos / "memory") == log_without_clock(photos / "1 KiB")
    tables = [
        read_table(photos / run / "embeddings/last-30%.parquet") for run in ("memory", "1 KiB")
    ]
    np.testing.assert_array_equal(tables[0].embeddings, tables[1].embeddings)
    assert command(embed, "--checkpoint", "memory", "--output", "x.npz")[0] == 0
    again = read_table(photos / "x.npz")
    assert again.ids == tables[0].ids and again.ids[0].startswith("digit 0/")
    np.testing.assert_array_equal(again.embeddings, tables[0].embeddings)


def test_a_file_in_two_classes_is_searched_for_and_reported_once_by_each_command(
    photos, command, monkeypatch
):
    """Images for training and for evaluation are compared, too."""
    looked_for, look = [], file_source.in_two_classes

    def counted(folder, classes, *console):
        looked_for.append(classes)
        return look(folder, classes, *console)

    monkeypatch.setattr(file_source, "in_two_classes", counted)
    more = ["data.image_size=[8, 8]", "embeddings.splits=['-30%', '70%']", "train.steps=4"]
    request = ["--config", "photos.yaml", *changed(*more), "--run-dir", "run"]
    source = open_source(
        DataConfig(dataset="image_folder", path="photos", image_size=(8, 8), train_split="70%")
    )
    trained, evaluated = (source.table(split).ids for split in ("70%", "-30%"))
    (photos / "photos" / evaluated[-1]).write_bytes((photos / "photos" / trained[0]).read_bytes())
    pair = f"{trained[0]} = {evaluated[-1]}"  # of the first class and the last
    said = f"1 identical image files are in two classes: {pair}\n"
    assert command(train, *request, "--dry-run")[1].count(said) == 1
    assert command(train, *request)[2].count(said) == 1
    assert [len(classes) for classes in looked_for] == [len(trained) + len(evaluated)] * 2
    for split, times in ((":", 1), ("-30%", 0)):
        answers = [
            command(evaluate, "--checkpoint", "run", "--split", split),
            command(embed, "--checkpoint", "run", "--split", split, "--output", f"{times}.npz"),
        ]
        assert [(status, err.count(said)) for status, _, err in answers] == [(0, times)] * 2
    assert len(looked_for) == 6
    shard = ["--split", ":", "--shard", "2/2", "--output", "parts.npz"]
    assert command(embed, "--checkpoint", "run", *shard)[0] == 0 and len(looked_for) == 6


def test_a_run_is_resumed_only_with_the_images_it_began_with_wherever_they_are(photos, command):
    """The run lies in the folder of the images and has pictures of its own."""
    request = ["--config", "photos.yaml", *changed("data.image_size=[8, 8]"), "--quiet"]
    assert command(train, *request, "--run-dir", "photos/runs/1")[0] == 0
    make_folder(photos / "photos/runs/1/plots", ["map.png"])
    request += [*changed("train.steps=12"), "--resume", "--run-dir"]
    extra = make_folder(photos / "photos", ["digit 1/extra.png"]) / "digit 1/extra.png"
    status, _, err = command(train, *request, "photos/runs/1")
    assert status == 2 and "was started with other images or labels in" in err
    extra.unlink()
    (photos / "photos").rename("elsewhere")
    run = "elsewhere/runs/1"
    status, _, err = command(evaluate, "--checkpoint", run, "--quiet")
    assert status == 2 and "photos" in err
    assert command(evaluate, "--checkpoint", run, "--data-dir", "elsewhere", "--quiet")[0] == 0
    assert command(train, *request, run, *changed("data.path=elsewhere"))[0] == 0
    make_folder(photos / "elsewhere", ["a new class/1.png", "a new class/2.png"])
    status, _, err = command(embed, "--checkpoint", run, "--split", ":", "--output", "x.npz")
    assert status == 0 and "are new since the run began" in err
    table = read_table(photos / "x.npz")
    assert set(zip(table.labels.tolist(), table.label_names, strict=True)) == {
        *((n, f"digit {n}") for n in range(5)),
        (5, "a new class"),
    }


def test_a_share_of_the_classes_stays_the_same_when_classes_are_added(photos, command):
    split = [f"data.{key}_split=':'" for key in ("train", "eval")]
    options = changed("data.image_size=[8, 8]", "data.train_classes=60%", "batch.classes=3", *split)
    request = ["--config", "photos.yaml", *options, "--run-dir", "run", "--quiet"]
    assert ":, classes 40%: " in command(train, *request, "--dry-run")[1]
    assert command(train, *request)[0] == 0
    evaluated = read_table(photos / "run/embeddings/all.parquet")
    assert len(set(evaluated.label_names)) == 2
    new = [f"{name}/{image}.png" for name in ("a", "b", "c", "z") for image in (1, 2)]
    make_folder(photos / "photos", new)
    assert command(embed, "--checkpoint", "run", "--output", "x.npz", "--quiet")[0] == 0
    assert read_table(photos / "x.npz").ids == evaluated.ids
    more = ["--resume", *changed("train.steps=12")]
    assert command(train, *request, *more)[0] == 0
    status, _, err = command(train, *request, *more, *changed("data.train_classes=50%"))
    assert status == 2 and "data.train_classes: '60%' -> '50%'" in err


@pytest.mark.slow
def test_a_run_that_trains_and_evaluates_on_one_split_is_not_resumed_with_other_images(
    photos, command
):
    sizes = ["data.image_size=[8, 8]", "batch.classes=3"]
    splits = [f"data.{key}_split=':100%'" for key in ("train", "eval")]
    more = changed(*sizes, *splits, "data.eval_classes=[digit 3, digit 4]")
    request = ["--config", "photos.yaml", *more, "--run-dir", "run", "--quiet"]
    assert command(train, *request)[0] == 0
    make_folder(photos / "photos", ["digit 1/extra.png"])
    status, _, err = command(train, *request, *changed("train.steps=16"), "--resume")
    assert status == 2 and "other images or labels in data.train_split" in err
