"""Photographs in folders search others whose folders give other numbers to the same classes."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.helpers.tables import pixels
from triplet_train.cli.embed import main as embed
from triplet_train.cli.evaluate import main as evaluate
from triplet_train.config import DataConfig
from triplet_train.data.source import open_source
from triplet_train.embeddings.files import read_table

FOLDERS = {"queries": (3, 5, 8, 9), "shop": (1, 3, 8, 9)}  # digits, each a folder of its name


@pytest.fixture
def photos(workplace, data_dir):
    """Each folder has other images of its digits."""
    table = open_source(DataConfig(dataset="digits", data_dir=str(data_dir))).table("train[:400]")
    for row, (image, label) in enumerate(zip(pixels(table), table.labels.tolist(), strict=True)):
        for number, (folder, digits) in enumerate(FOLDERS.items()):
            if label in digits and row % 2 == number:
                file = workplace / folder / str(label) / f"{row}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(image.squeeze(-1)).save(file)


def test_a_folder_searches_another_and_the_catalogue_of_the_run_by_the_names_of_classes(
    photos, workplace, command, finished_run
):
    for folder in FOLDERS:
        request = ["--images", folder, "--output", f"{folder}.npz"]
        assert command(embed, "--checkpoint", finished_run, *request)[0] == 0
    queries = read_table(workplace / "queries.npz")
    missing = np.array(queries.label_names) == "5"
    for gallery, absent in (
        (workplace / "shop.npz", missing),
        (finished_run / "embeddings/test.parquet", np.zeros_like(missing)),
    ):
        request = ["--queries", "queries.npz", "--gallery", gallery, "--json", "a.json"]
        assert command(evaluate, *request, "--overwrite")[0] == 0
        answer = json.loads((workplace / "a.json").read_text())
        searched = read_table(gallery)
        apart = queries.embeddings[:, None] - searched.embeddings[None]
        nearest = np.linalg.norm(apart, axis=2).argmin(axis=1)
        right = np.array(queries.label_names) == np.array(searched.label_names)[nearest]
        numbers = queries.labels == searched.labels[nearest]
        assert answer["queries_without_their_class"] == absent.sum()
        assert answer["queries"] == (~absent).sum() > 50
        assert answer["recall_at_1"] == pytest.approx(right[~absent].mean())
        assert answer["recall_at_1"] > 0.5 and (right != numbers).any()
