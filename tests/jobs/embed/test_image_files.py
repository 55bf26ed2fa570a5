"""Embeddings of image files in a folder."""

import shutil

import keras
import numpy as np
import pytest
from PIL import Image

from triplet_train.cli.embed import main as embed
from triplet_train.embeddings.files import read_table


@pytest.mark.parametrize("name", ["x.parquet", "x.npz", "x.h5"])
def test_files_give_the_vectors_of_the_same_images_in_the_data_set(
    workplace, exported, photos, name
):
    status, out, err = exported("--images", "photos", "--output", name)
    assert (status, out, err) == (0, f"{name}: 20 vectors of 16 dimensions\n", "")
    exported("--split", "test[:20]", "--output", "reference.npz")
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
    status, _, err = command(
        embed, "--checkpoint", "tower.keras", "--images", "photos", "--output", "x.npz"
    )
    assert (status, err) == (0, "")


def test_unusual_properties_of_a_foreign_network_are_reported(workplace, command, photos):
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
def test_a_pretrained_network_that_scales_its_images_is_accepted_and_its_lengths_reported(
    workplace, command, photos, pretrained
):
    network = keras.models.load_model(pretrained, compile=False)
    keras.Sequential([keras.Input((64, 64, 3)), network]).save("lite.keras")
    request = ["--checkpoint", "lite.keras", "--images", "photos", "--output", "x.npz"]
    status, _, err = command(embed, *request)
    assert status == 0 and "vectors are of length" in err and err.count("\n") == 1
    assert read_table(workplace / "x.npz").embeddings.shape == (20, 1280)


def test_images_of_other_sizes_and_colours_are_converted_for_the_tower(workplace, exported):
    (workplace / "photos").mkdir()
    for number, shape in enumerate([(30, 30, 3), (8, 8, 4), (200, 200, 3)]):
        levels = np.full(shape, 99, np.uint8)
        levels[..., 3:] = 255  # opaque
        Image.fromarray(levels).save(workplace / f"photos/{number}.png")
    assert exported("--images", "photos", "--output", "x.npz")[0] == 0
    vectors = read_table(workplace / "x.npz").embeddings
    np.testing.assert_allclose(vectors, vectors[[0, 0, 0]], atol=1e-5)  # all of one grey


def test_an_image_that_cannot_be_read_is_listed_and_the_others_are_written(
    workplace, exported, photos
):
    (workplace / "photos/bad.png").write_bytes(b"no image")
    request = ["--images", "photos", "--output", "x.npz"]
    status, out, err = exported(*request, "--strict")
    assert (status, out) == (1, "") and "photos/bad.png: not an image" in err
    assert [path.name for path in workplace.iterdir()] == ["photos"]
    status, _, err = exported(*request)
    assert status == 1 and "Traceback" not in err
    assert "1 of 21 images cannot be read and are not among the 20 in x.npz" in err
    assert "photos/bad.png: not an image" in err
    assert len(read_table(workplace / "x.npz").ids) == 20


def test_images_that_are_all_unreadable_leave_no_file(workplace, exported):
    (workplace / "photos").mkdir()
    (workplace / "photos/bad.png").write_bytes(b"no image")
    status, _, err = exported("--images", "photos", "--output", "x.npz")
    assert status == 1 and "none of the images can be read" in err
    assert [path.name for path in workplace.iterdir()] == ["photos"]
