"""Shards of an export, written one by one and read as one table."""

import os
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from triplet_train.cli.embed import main as embed
from triplet_train.embeddings.files import read_table
from triplet_train.errors import RequestError


def test_a_shard_of_which_no_image_can_be_read_is_written_without_rows(workplace, exported):
    (workplace / "photos").mkdir()
    (workplace / "photos/a.png").write_bytes(b"no image")
    Image.new("L", (8, 8)).save("photos/b.png")
    request = ["--images", "photos", "--output", "x.npz"]
    statuses = [exported(*request, "--shard", f"{n}/2")[0] for n in (1, 2)]
    assert statuses == [1, 0] and read_table(workplace / "x.npz").ids == ["b.png"]


def test_shards_of_a_folder_that_lies_elsewhere_are_one_export_if_its_files_are_the_same(
    workplace, exported, photos
):
    shutil.copytree("photos", "elsewhere")
    for number, folder in ((1, "photos"), (2, "elsewhere")):
        more = ["--output", "x.npz", "--shard", f"{number}/2"]
        assert exported("--images", folder, *more)[0] == 0
    table = read_table(workplace / "x.npz")
    assert len(table.ids) == 20 and table.metadata["dataset"] == str(workplace / "photos")
    shutil.copy("elsewhere/19.png", "elsewhere/20.png")
    assert exported("--images", "elsewhere", *more, "--overwrite")[0] == 0
    with pytest.raises(RequestError, match="different exports"):
        read_table(workplace / "x.npz")


def test_flipped_shards_are_a_flipped_export_and_do_not_mix_with_others(workplace, exported):
    source = ["--split", "test[:20]"]
    for name in ("plain.npz", "flipped.npz"):
        flip = ["--flip"] if name == "flipped.npz" else []
        assert exported(*source, "--output", name, *flip)[0] == 0
    plain, flipped = (read_table(workplace / f"{name}.npz") for name in ("plain", "flipped"))
    assert flipped.metadata == plain.metadata | {"flip": True}
    assert np.abs(flipped.embeddings - plain.embeddings).max() > 0.01
    for number in (1, 2):
        shard = ["--output", "x.npz", "--shard", f"{number}/2"]
        assert exported(*source, *shard, "--flip")[0] == 0
    table = read_table(workplace / "x.npz")
    np.testing.assert_allclose(table.embeddings, flipped.embeddings, atol=1e-6)
    assert table.metadata == flipped.metadata
    assert exported(*source, *shard, "--overwrite")[0] == 0
    with pytest.raises(RequestError, match="or one was embedded with --flip"):
        read_table(workplace / "x.npz")


@pytest.mark.parametrize(
    "name, source",
    [
        ("x.parquet", ["--split", "test[:50]"]),
        ("x.npz", ["--images", "photos"]),
        pytest.param("x.npz", ["--split", "test[:50]"], marks=pytest.mark.slow),
        pytest.param("x.parquet", ["--images", "photos"], marks=pytest.mark.slow),
    ],
)
def test_shards_read_together_are_the_whole_row_for_row(
    workplace, command, finished_run, exported, photos, source, name
):
    assert exported(*source, "--output", "whole.npz")[0] == 0
    whole = read_table(workplace / "whole.npz")
    for number in (3, 1, 2):
        # Each machine may call the checkpoint by another path.
        checkpoint = os.path.relpath(finished_run) if number == 2 else finished_run
        status, out, err = command(
            embed, "--checkpoint", checkpoint, *source, "--output", name, "--shard", f"{number}/3"
        )
        assert status == 0, err
        assert f"{name}/part-0000{number}-of-00003" in out
    table = read_table(workplace / name)
    np.testing.assert_allclose(table.embeddings, whole.embeddings, atol=1e-6)
    assert (table.ids, table.label_names) == (whole.ids, whole.label_names)
    assert table.labels.tolist() == whole.labels.tolist()
    assert table.metadata == whole.metadata
    if name == "x.parquet":
        frame = pd.read_parquet(name)
        assert frame["id"].tolist() == whole.ids
    status, _, err = exported(*source, "--output", name, "--shard", "2/3")
    assert status == 2 and "part-00002-of-00003" in err and "--overwrite" in err


def test_only_the_first_shard_reports_files_left_out_and_files_in_two_classes(
    workplace, exported, photos
):
    (workplace / "photos/scan.txt").touch()
    first = workplace / f"photos/digit {photos.labels[0]}/00.png"
    (workplace / "photos/other").mkdir()
    shutil.copy(first, "photos/other/copy.png")
    request = ["--images", "photos", "--output", "x.npz"]
    said = [exported(*request, "--shard", f"{n}/2")[2] for n in (1, 2)]
    pair = f"{first.relative_to(workplace / 'photos')} = other/copy.png"
    assert said[0].splitlines() == [
        "left out: 1 files in photos whose names do not end like those of images: .txt (1)",
        f"warning: 1 identical image files are in two classes: {pair}",
    ]
    assert said[1] == ""
