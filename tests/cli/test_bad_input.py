"""Every mistake gives one message that names it, no traceback, and writes nothing."""

import os
import pickle
import shlex
import shutil
import zipfile
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.helpers.commands import MODULES
from tests.helpers.made_files import embedding_file
from tests.helpers.made_sets import make_folder

STANDS_FOR = {"LONG": "x" * 300, "NO_TEXT": "\udcff"}
SMALL = """
data: {{dataset: digits, data_dir: sets, train_split: "train[:85%]"{more}}}
batch: {{per_class: 4}}
model: {{filters: [8], embedding_dim: 16}}
train: {{steps: 4}}
{sections}"""
PHOTOS = """
data: {dataset: image_folder, path: photos, image_size: [8, 8], train_split: 50%, eval_split: -50%}
batch: {classes: 2}
"""


class Row(NamedTuple):
    wrong: str
    request: str  # a command line, or a configuration to train with
    status: str  # `early`: 2, before TensorFlow is there
    words: str


TABLE = [
    Row(*line.split(" | "))
    for line in (Path(__file__).parent / "bad_input.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


@pytest.fixture(scope="module")
def place(tmp_path_factory, finished_run, data_dir):
    """A folder with everything that the table names. No test writes there, so all share it."""
    place = tmp_path_factory.mktemp("place")
    os.symlink(finished_run, place / "run")
    os.symlink(data_dir, place / "sets")
    for name in ("a_file", "there.png", "taken_plots", "empty.yaml", "empty.h5"):
        (place / name).touch()
    for name in ("nowhere_link", "nowhere.npz", "linked_plots"):
        os.symlink("nowhere", place / name)
    for folder in ("folder", "folder.npz", "other_plots"):
        (place / folder).mkdir()
        (place / folder / "thesis.txt").write_text("years of work")
    _configurations(place)
    _images(place, data_dir)
    _towers(place, finished_run)
    _runs(place, finished_run)
    _embeddings(place, finished_run)
    _pairs(place)
    return place


def _configurations(place):
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))
    parts = "+".join(f"test[{row}:{row + 2}]" for row in range(0, 60, 2))
    texts = {
        "small": SMALL.format(more="", sections=""),
        "photos": PHOTOS,
        "..": SMALL.format(more="", sections=""),
        "bomb": f"a0: &a0 [x, x, x]\n{levels}",
        "deep": "[" * 3000,
        "digits": SMALL.format(more="", sections=f"seed: 0x{'f' * 9000}"),
        "large": "#" * 2**20 + SMALL.format(more="", sections=""),
        "long": SMALL.format(more="", sections=f"embeddings: {{splits: ['{parts}']}}"),
        "many": SMALL.format(more=f", train_classes: ['{'7' * 5000}']", sections=""),
        "two": "seed: 1\n---\nseed: 2\n",
    }
    for name, text in texts.items():
        (place / f"{name}.yaml").write_text(text)
    (place / "latin1.yaml").write_bytes("data: {dataset: Ziffern für alle}".encode("latin-1"))


def _images(place, data_dir):
    for folder in ("photos", "unreadable"):
        make_folder(place / folder, [f"{c}/{number}.png" for c in "ab" for number in range(8)])
    (place / "unreadable/b/3.png").write_bytes(b"no image")
    shutil.copytree(data_dir, place / "damaged_sets")
    (file,) = (place / "damaged_sets").rglob("digits-train.tfrecord-00000-of-00001")
    _cut(file, file)


def _towers(place, run):
    layers = keras.layers
    shutil.copy(run / "embedder.keras", place / "tower.keras")
    _cut(place / "tower.keras", place / "cut.keras")
    for name in ("text.keras", "text.onnx"):
        (place / name).write_text("a tower")
    with zipfile.ZipFile(place / "foreign.keras", "w") as archive:
        archive.writestr("readme.txt", "an archive of something else")

    class Own(layers.Layer):
        def call(self, images):
            return images

    for name, shape, layer in (
        ("lambda", (8, 8, 1), layers.Lambda(lambda images: images[:, 0, 0])),
        ("own", (8, 8, 1), Own()),
        ("plain", (4,), layers.Dense(3)),
        ("images", (8, 8, 1), layers.Conv2D(3, 1)),
    ):
        keras.Sequential([keras.Input(shape), layer]).save(place / f"{name}.keras")
    head = [keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(3, activation="softmax")]
    keras.Sequential(head).save(place / "classifier.keras")
    with (
        zipfile.ZipFile(place / "tower.keras") as tower,
        zipfile.ZipFile(place / "plain.keras") as other,
        zipfile.ZipFile(place / "mixed.keras", "w") as mixed,
    ):
        for name in tower.namelist():
            mixed.writestr(name, (other if name.endswith(".h5") else tower).read(name))


def _runs(place, run):
    for name in ("edited", "cut_config", "cut_environment"):
        (place / name).mkdir()
        for file in ("config.yaml", "environment.json", "embedder.keras"):
            shutil.copy(run / file, place / name)
    with (place / "edited/config.yaml").open("a") as config:
        config.write("margin: 0.3\n")
    (place / "cut_config/config.yaml").write_text("data: {dataset: digits")
    shutil.copytree(run / "checkpoints", place / "cut_environment/checkpoints", symlinks=True)
    (place / "cut_environment/environment.json").write_text("{")


def _embeddings(place, run):
    labels = [0, 0, 1, 1]
    for name, more in (
        ("q", {}),
        ("same", {}),
        ("g", {"seed": 1}),
        ("wide", {"seed": 1, "width": 5}),
        ("known", {"seed": 1, "checkpoint_sha256": "a"}),
        ("renamed", {"seed": 1, "names": ("ox", "cow")}),
        ("unnamed", {"seed": 1, "names": ("", "")}),
        ("unlabelled", {"seed": 1, "labels": [-1, -1]}),
    ):
        embedding_file(place / f"{name}.npz", **({"labels": labels} | more))
    for format in ("parquet", "npz", "h5"):
        file = embedding_file(place / f"whole.{format}", labels)
        _cut(file, place / f"cut.{format}")
    shutil.copy(place / "whole.parquet", place / "parquet.npz")
    table = pq.read_table(place / "whole.parquet")
    pq.write_table(table.select(["id"]), place / "foreign.parquet")
    pq.write_table(table.set_column(0, "id", [[None] * 4]), place / "nulls.parquet")
    lists = table["embedding"].cast(pa.list_(pa.float32()))
    pq.write_table(table.set_column(3, "embedding", lists), place / "lists.parquet")
    np.savez(place / "foreign.npz", images=np.zeros(3))
    shutil.copy(run / "checkpoints/best/embedder.keras", place / "foreign.h5")
    (place / "pickle.npz").write_bytes(pickle.dumps(labels))
    with np.load(place / "q.npz") as arrays:
        whole = dict(arrays)
    for name, wrong in (
        ("objects", {"ids": np.array([{}] * 4, object)}),
        ("nan", {"embeddings": np.full((4, 3), np.nan, np.float32)}),
        ("flat", {"embeddings": np.zeros((4, 0), np.float32)}),
        ("few", {"labels": np.zeros(3, np.int64)}),
        ("numbers", {"ids": np.arange(4)}),
    ):
        np.savez(place / f"{name}.npz", **(whole | wrong))
    (place / "shards.npz").mkdir()
    shutil.copy(place / "q.npz", place / "shards.npz/part-00001-of-00002.npz")


def _pairs(place):
    head = "id_a,id_b,same\n"
    for name, text in (
        ("pairs.csv", f"{head}0/0,0/1,1\n0/2,0/3,1\n0/0,0/2,0\n0/1,0/3,0\n"),
        ("pairs.txt", "10\t300\n"),
        ("half_pairs.csv", "id_a,same\n0/0,1\n"),
        ("strange_pairs.csv", f"{head}0/0,0/1,1\n0/11,0/3,1\n0/9,0/3,0\n"),
        ("double_pairs.csv", f"{head}0/0,0/1,1\n0/2,0/3,1\n0/1,0/0,0\n"),
        ("same_pairs.csv", f"{head}0/0,0/1,1\n0/2,0/3,1\n"),
        ("fold_pairs.csv", "id_a,id_b,same,fold\n0/0,0/1,1,1\n0/0,0/2,0,1\n"),
        ("other.json", '{"thresholds": {"eer": 0.5}, "checkpoint_sha256": "b"}'),
        ("text.json", '{"thresholds": {"eer": "low"}}'),
    ):
        (place / name).write_text(text)


def _cut(file, half):
    content = file.read_bytes()
    half.write_bytes(content[: len(content) // 2])


def everything_in(*folders):
    """Paths with their sizes and times; a link counts as itself."""
    paths = (path for folder in folders for path in folder.rglob("*"))
    return {path: (path.lstat().st_size, path.lstat().st_mtime_ns) for path in paths}


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.wrong)
def test_bad_input(place, command, monkeypatch, finished_run, row):
    monkeypatch.chdir(place)
    monkeypatch.delenv("TF_CONFIG", raising=False)
    request = row.request
    if not request.startswith("triplet-"):
        Path("wrong.yaml").write_text(request)
        request = "triplet-train --config wrong.yaml"
    program, *arguments = shlex.split(request)
    for short, long in STANDS_FOR.items():
        arguments = [argument.replace(short, long) for argument in arguments]
    if row.status == "early":
        for module in MODULES.values():
            monkeypatch.setattr(module, "import_with_tensorflow", lambda name: 1 / 0)
    before = everything_in(place, finished_run)
    status, out, err = command(MODULES[program].main, *arguments)
    assert (status, out) == (1 if row.status == "1" else 2, "")
    assert row.words in err and "Traceback" not in err
    assert everything_in(place, finished_run) == before


def test_no_two_rows_of_the_table_are_alike():
    assert len(TABLE) >= 60
    for column in ("wrong", "request"):
        assert len({getattr(row, column) for row in TABLE}) == len(TABLE)
