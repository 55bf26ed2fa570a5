"""Real photographs in folders, in a table and in a TFDS set, through training."""

import csv

import pytest
import tensorflow_datasets as tfds
import yaml

from tests.conftest import SHARED
from tests.helpers.commands import configuration
from tests.helpers.run_contents import contents
from triplet_train.cli.train import main as train
from triplet_train.embeddings.files import read_table

PHOTOS = SHARED / "images/cifar10"
pytestmark = [pytest.mark.usefixtures("without_pages"), pytest.mark.slow]


def prepare(place):
    """Store what TFDS's ImageFolder builder reads, in the order of the files in folders.

    By default TFDS shuffles what it stores; batches depend on the order.
    """
    builder, encoded = tfds.ImageFolder(PHOTOS), {"image": tfds.decode.SkipDecoding()}
    splits = {
        name: list(
            enumerate(
                sorted(
                    tfds.as_numpy(builder.as_dataset(split=name, decoders=encoded)),
                    key=lambda example: example["image/filename"],
                )
            )
        )
        for name in builder.info.splits
    }
    tfds.dataset_builders.store_as_tfds_dataset(
        name="stored",
        version="1.0.0",
        features=builder.info.features,
        split_datasets=splits,
        data_dir=place,
        disable_shuffling=True,
    )
    return [example["label"] for _, example in splits["test"]]


def test_photographs_train_alike_from_folders_a_table_and_tfds(workplace, command):
    if not PHOTOS.is_dir():
        pytest.skip(f"no photographs in {PHOTOS}")
    paths = sorted(path.relative_to(PHOTOS) for path in PHOTOS.rglob("*.jpg"))
    with open("photos.csv", "w", newline="") as file:
        rows = ((path, path.parts[1], path.parts[0]) for path in paths[::-1])
        csv.writer(file).writerows([("path", "label", "split"), *rows])
    labels = prepare(workplace / "sets")
    sources = {
        "folders": {"dataset": "image_folder", "path": str(PHOTOS)},
        "table": {"dataset": "table", "path": "photos.csv", "root": str(PHOTOS)},
        "tfds": {"dataset": "stored", "data_dir": "sets", "channels": 3},
    }
    runs, tables = {}, {}
    for name, data in sources.items():
        config = configuration(**data, image_size=[32, 32]) | {"embeddings": {"formats": ["npz"]}}
        (workplace / f"{name}.yaml").write_text(yaml.safe_dump(config))
        status, _, err = command(train, "--config", f"{name}.yaml", "--run-dir", name)
        assert status == 0, err
        runs[name], tables[name] = (
            contents(workplace / name),
            read_table(workplace / name / "embeddings/test.npz"),
        )
    assert runs["folders"] == runs["table"] == runs["tfds"]
    assert tables["folders"].ids == tables["table"].ids == list(map(str, paths[: len(labels)]))
    for table in tables.values():
        assert table.labels.tolist() == labels
        assert table.label_names == [path.parts[1] for path in paths[: len(labels)]]
