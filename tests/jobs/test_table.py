"""A table of images, through every command."""

import csv

import numpy as np
import pytest

from tests.helpers.commands import write_configuration
from tests.helpers.made_sets import make_folder
from tests.helpers.run_contents import log_without_clock
from triplet_train.cli.embed import main as embed
from triplet_train.cli.evaluate import main as evaluate
from triplet_train.cli.train import main as train
from triplet_train.embeddings.files import read_table

pytestmark = pytest.mark.usefixtures("without_pages")

PATHS = [
    f"{split}/{name}/{number}.png"
    for split in ("train", "test")
    for name in ("ant", "bee", "cat", "dog")
    for number in range(4)
]


@pytest.fixture
def photos(workplace):
    """Images in folders, and a table of them with other names for its columns."""
    make_folder(workplace / "photos", PATHS)
    with open("items.csv", "w") as file:
        rows = ([path, path.split("/")[1], path.split("/")[0]] for path in PATHS[::-1])
        csv.writer(file).writerows([["file", "sku", "fold"], *rows])
    columns = {"path": "file", "label": "sku", "split": "fold"}
    size = {"image_size": [8, 8]}
    write_configuration("folders", dataset="image_folder", path="photos", **size)
    write_configuration(
        "items", dataset="table", path="items.csv", root="photos", columns=columns, **size
    )
    return workplace


def test_a_table_trains_embeds_and_evaluates_as_the_same_images_in_folders(photos, command):
    status, out, err = command(train, "--config", "items.yaml", "--dry-run")
    assert (status, err) == (0, "")
    assert f"data set   {photos}/items.csv" in out and "16 images of 4 classes, 4 of each" in out
    for name in ("folders", "items"):
        status, _, err = command(train, "--config", f"{name}.yaml", "--run-dir", name, "--quiet")
        assert (status, err) == (0, "")
    assert log_without_clock(photos / "folders") == log_without_clock(photos / "items")
    tables = []
    for name in ("folders", "items"):
        split = ["--split", "train", "--output", f"{name}.npz", "--quiet"]
        assert command(embed, "--checkpoint", name, *split)[0] == 0
        assert command(evaluate, "--checkpoint", name, "--json", f"{name}.json")[0] == 0
        tables.append(read_table(photos / f"{name}.npz"))
    one, other = tables
    assert (one.ids, one.label_names) == (other.ids, other.label_names)
    np.testing.assert_array_equal(one.embeddings, other.embeddings)

    # The columns of the run hold for other tables, whose paths start from their own folders.
    (photos / "items.csv").rename("photos/moved.csv")
    images = ["--images", "photos/moved.csv", "--output", "all.npz"]
    status, _, err = command(embed, "--checkpoint", "items", *images)
    assert status == 0, err
    assert read_table(photos / "all.npz").ids == sorted(PATHS)
    for program, more in ((evaluate, ()), (embed, ("--output", "x.npz"))):
        status, _, err = command(program, "--checkpoint", "items", *more, "--quiet")
        assert status == 2 and "data.path: no such file" in err
        moved = ["--data-dir", "photos/moved.csv", *more, "--quiet"]
        assert command(program, "--checkpoint", "items", *moved)[0] == 0


def test_a_table_that_names_a_missing_file_is_refused_before_anything_is_written(photos, command):
    (photos / "photos/test/ant/0.png").unlink()
    status, _, err = command(train, "--config", "items.yaml", "--run-dir", "run")
    assert status == 2 and "line 17: " in err and not (photos / "run").exists()
    images = ["--images", "items.csv", "--output", "some.npz"]
    assert command(embed, "--checkpoint", "run", *images)[0] == 2
