"""triplet-embed on folders of images and in shards, as its users call it."""

import os
import shutil
import sys

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.helpers.tables import pixels
from triplet_train.cli.embed import main as embed
from triplet_train.config import DataConfig
from triplet_train.data.source import open_source
from triplet_train.embeddings.files import read_table
from triplet_train.errors import RequestError


@pytest.fixture
def photos(workplace, data_dir):
    """The first test digits as files, in folders by class but for the last two."""
    source = open_source(DataConfig(dataset="digits", data_dir=str(data_dir)))
    digits = source.table("test[:20]")
    for number, (image, label) in enumerate(zip(pixels(digits), digits.labels, strict=True)):
        folder = workplace / "photos" / (f"digit {label}" if number < 18 else "")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0]).save(folder / f"{number:02d}.png")
    return digits


def run(command, finished_run, *options):
    return command(embed, "--checkpoint", finished_run, *options)


@pytest.mark.parametrize("name", ["x.parquet", "x.npz", "x.h5"])
def test_files_give_the_vectors_of_the_same_images_in_the_data_set(
    workplace, command, finished_run, photos, name
):
    status, out, err = run(command, finished_run, "--images", "photos", "--output", name)
    assert (status, out, err) == (0, f"{name}: 20 vectors of 16 dimensions\n", "")
    run(command, finished_run, "--split", "test[:20]", "--output", "reference.npz")
    expected = read_table(workplace / "reference.npz").embeddings
    table = read_table(workplace / name)
    assert table.ids == sorted(table.ids) and len(set(table.ids)) == 20
    for id_, vector, label, label_name in zip(
        table.ids, table.embeddings, table.labels, table.label_names, strict=True
    ):
        number = int(id_[-6:-4])
        np.testing.assert_allclose(vector, expected[number], atol=1e-6)
        if number < 18:
            assert label_name == f"digit {photos.labels[number]}" == id_.split("/")[0]
            assert label >= 0
        else:
            assert (label, label_name) == (-1, "")
    assert table.metadata["dataset"] == str(workplace / "photos")


def test_a_bare_keras_file_embeds_a_folder_without_a_data_set(
    workplace, command, finished_run, photos
):
    shutil.copy(finished_run / "embedder.keras", "tower.keras")
    status, _, err = run(command, "tower.keras", "--images", "photos", "--output", "x.npz")
    assert (status, err) == (0, "")


def test_what_is_unusual_about_a_network_of_others_is_said(workplace, command, photos):
    layers = keras.layers
    features = [layers.Conv2D(4, 3), layers.GlobalAveragePooling2D()]
    towers = {
        "bare": [*features],
        "scaled": [layers.Rescaling(1 / 255), *features],
        "unit": [layers.BatchNormalization(), *features, layers.UnitNormalization()],
        "classifier": [layers.Rescaling(1 / 255), *features, layers.Softmax()],
    }
    said = {}
    for name, some in towers.items():
        keras.Sequential([keras.Input((8, 8, 1)), *some]).save(f"{name}.keras")
        request = ["--checkpoint", f"{name}.keras", "--images", "photos", "--output", f"{name}.npz"]
        more = ["--any-model"] if name == "classifier" else []
        status, _, err = command(embed, *request, *more)
        assert status == 0
        said[name] = ["of length" in err, "no layer in it scales" in err, err.count("\n")]
        lengths = np.linalg.norm(read_table(workplace / f"{name}.npz").embeddings, axis=1)
        between = f"20 vectors are of length {lengths.min():.4g} to {lengths.max():.4g}, not 1"
        assert (between in err) == (name != "unit")
    assert said == {
        "bare": [True, True, 2],
        "scaled": [True, False, 1],
        "unit": [False, False, 0],
        "classifier": [True, False, 1],
    }


@pytest.mark.slow
def test_a_pretrained_network_that_scales_its_images_is_taken_and_its_lengths_said(
    workplace, command, photos, pretrained
):
    network = keras.models.load_model(pretrained, compile=False)
    keras.Sequential([keras.Input((64, 64, 3)), network]).save("lite.keras")
    request = ["--checkpoint", "lite.keras", "--images", "photos", "--output", "x.npz"]
    status, _, err = command(embed, *request)
    assert status == 0 and "vectors are of length" in err and err.count("\n") == 1
    assert read_table(workplace / "x.npz").embeddings.shape == (20, 1280)


def test_images_of_other_sizes_and_colours_are_brought_to_the_tower(
    workplace, command, finished_run
):
    (workplace / "photos").mkdir()
    for number, shape in enumerate([(30, 30, 3), (8, 8, 4), (200, 200, 3)]):
        Image.fromarray(np.full(shape, 99, np.uint8)).save(workplace / f"photos/{number}.png")
    assert run(command, finished_run, "--images", "photos", "--output", "x.npz")[0] == 0
    vectors = read_table(workplace / "x.npz").embeddings
    np.testing.assert_allclose(vectors, vectors[[0, 0, 0]], atol=1e-5)  # all of one grey


def test_an_image_that_cannot_be_read_is_listed_and_the_others_are_written(
    workplace, command, finished_run, photos
):
    (workplace / "photos/bad.png").write_bytes(b"no image")
    request = ["--images", "photos", "--output", "x.npz"]
    status, out, err = run(command, finished_run, *request, "--strict")
    assert (status, out) == (1, "") and "photos/bad.png: cannot identify" in err
    assert [path.name for path in workplace.iterdir()] == ["photos"]
    status, _, err = run(command, finished_run, *request)
    assert status == 1 and "Traceback" not in err
    assert "1 of 21 images cannot be read and are not among the 20 in x.npz" in err
    assert "photos/bad.png: cannot identify" in err
    assert len(read_table(workplace / "x.npz").ids) == 20


def test_a_shard_of_which_no_image_can_be_read_is_written_without_rows(
    workplace, command, finished_run
):
    (workplace / "photos").mkdir()
    (workplace / "photos/a.png").write_bytes(b"no image")
    Image.new("L", (8, 8)).save("photos/b.png")
    request = ["--images", "photos", "--output", "x.npz"]
    statuses = [run(command, finished_run, *request, "--shard", f"{n}/2")[0] for n in (1, 2)]
    assert statuses == [1, 0] and read_table(workplace / "x.npz").ids == ["b.png"]


def test_shards_of_a_folder_that_lies_elsewhere_are_one_export_if_its_files_are_the_same(
    workplace, command, finished_run, photos
):
    shutil.copytree("photos", "elsewhere")
    for number, folder in ((1, "photos"), (2, "elsewhere")):
        more = ["--output", "x.npz", "--shard", f"{number}/2"]
        assert run(command, finished_run, "--images", folder, *more)[0] == 0
    table = read_table(workplace / "x.npz")
    assert len(table.ids) == 20 and table.metadata["dataset"] == str(workplace / "photos")
    shutil.copy("elsewhere/19.png", "elsewhere/20.png")
    assert run(command, finished_run, "--images", "elsewhere", *more, "--overwrite")[0] == 0
    with pytest.raises(RequestError, match="different exports"):
        read_table(workplace / "x.npz")


def test_images_that_none_can_be_read_of_leave_no_file(workplace, command, finished_run):
    (workplace / "photos").mkdir()
    (workplace / "photos/bad.png").write_bytes(b"no image")
    status, _, err = run(command, finished_run, "--images", "photos", "--output", "x.npz")
    assert status == 1 and "none of the images can be read" in err
    assert [path.name for path in workplace.iterdir()] == ["photos"]


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
    workplace, command, finished_run, photos, source, name
):
    assert run(command, finished_run, *source, "--output", "whole.npz")[0] == 0
    whole = read_table(workplace / "whole.npz")
    for number in (3, 1, 2):
        # Each machine may call the checkpoint by another path.
        checkpoint = os.path.relpath(finished_run) if number == 2 else finished_run
        status, out, err = run(
            command, checkpoint, *source, "--output", name, "--shard", f"{number}/3"
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
    status, _, err = run(command, finished_run, *source, "--output", name, "--shard", "2/3")
    assert status == 2 and "part-00002-of-00003" in err and "--overwrite" in err


def test_only_the_first_shard_reports_files_left_out_and_files_in_two_classes(
    workplace, command, finished_run, photos
):
    (workplace / "photos/scan.tif").touch()
    first = workplace / f"photos/digit {photos.labels[0]}/00.png"
    (workplace / "photos/other").mkdir()
    shutil.copy(first, "photos/other/copy.png")
    request = ["--images", "photos", "--output", "x.npz"]
    said = [run(command, finished_run, *request, "--shard", f"{n}/2")[2] for n in (1, 2)]
    pair = f"{first.relative_to(workplace / 'photos')} = other/copy.png"
    assert said[0].splitlines() == [
        "left out: 1 files in photos whose names do not end in .bmp, .gif, .jpeg, .jpg, .png or "
        ".webp: .tif (1)",
        f"warning: 1 image files are in two classes, byte for byte: {pair}",
    ]
    assert said[1] == ""


@pytest.mark.slow
@pytest.mark.parametrize("source", [["--split", "test[:50]"], ["--images", "photos"]])
def test_ray_gives_the_same_rows(workplace, command, finished_run, photos, source, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    assert run(command, finished_run, *source, "--output", "whole.parquet")[0] == 0
    ray = [*source, "--output", "ray.parquet", "--engine", "ray"]
    for more in ([], ["--overwrite"]):
        status, _, err = run(command, finished_run, *ray, *more)
        assert status == 0, err
        whole, table = (read_table(workplace / f"{name}.parquet") for name in ("whole", "ray"))
        assert (table.ids, table.label_names) == (whole.ids, whole.label_names)
        np.testing.assert_allclose(table.embeddings, whole.embeddings, atol=1e-6)
    wrong = [*ray[2:], "--split", "tset", "--output", "wrong.parquet"]
    status, _, err = run(command, finished_run, *wrong)
    assert status == 2 and err.count("\n") == 1, err
    assert not (workplace / "wrong.parquet").exists()
    if "--images" in source:
        (workplace / "photos/bad.png").write_bytes(b"no image")
        status, _, err = run(command, finished_run, *ray, "--overwrite")
        assert status == 1 and "photos/bad.png: cannot identify" in err
        assert len(read_table(workplace / "ray.parquet").ids) == 20
