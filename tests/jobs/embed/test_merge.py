"""Embedding files joined to one."""

import os
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from tests.helpers.made_files import embedding_file
from triplet_train.cli.embed import main as embed
from triplet_train.embeddings import merging
from triplet_train.embeddings.files import read_batches, read_table, write_table, writing
from triplet_train.embeddings.formats import parquet
from triplet_train.embeddings.output import part_name
from triplet_train.jobs.embed import merge
from triplet_train.registry import FILES
from triplet_train.run.lock import locked_by

TOWER = {"checkpoint_sha256": "1", "checkpoint": "a.keras"}


@pytest.fixture
def join(workplace, command):
    """Join files: `join(*files, *options)` -> (status, stdout, stderr), into out.parquet."""

    def run(*arguments):
        output = () if "--output" in arguments else ("--output", "out.parquet")
        return command(embed, "--merge", *arguments, *output)

    return run


def rows_of(file):
    """Id -> (name of the class, vector), and the ids in order."""
    table = read_table(file)
    named = zip(table.ids, table.label_names, table.embeddings.tolist(), strict=True)
    return {id_: (name, vector) for id_, name, vector in named}, table.ids


def joined_slowly(*files):
    rows = {}
    for file in files:
        for id_, row in rows_of(file)[0].items():
            rows.pop(id_, None)
            rows[id_] = row
    return rows, list(rows)


@pytest.mark.parametrize("format", FILES)
def test_the_last_row_of_an_id_is_kept_and_classes_are_joined_by_name(workplace, join, format):
    files = [workplace / f"{number}.{format}" for number in range(3)]
    embedding_file(files[0], [0, 0, 1], **TOWER)
    embedding_file(files[1], [1, 2, -1, 0, 1], names=("owl", "cat", "emu"), **TOWER)
    embedding_file(files[2], [0, 1], seed=1, names=("dog", "3"), **TOWER)
    status, out, err = join(*files)
    assert (status, out) == (0, "out.parquet: 7 vectors of 3 dimensions\n")
    assert err == f"3 rows of {files[0]} are replaced by later ones of the same id\n"
    assert rows_of(workplace / "out.parquet") == joined_slowly(*files)
    table = read_table(workplace / "out.parquet")
    labels = dict(zip(table.label_names, table.labels.tolist(), strict=True))
    before = dict(zip(read_table(files[0]).label_names, [0, 0, 1], strict=True))
    assert before.items() <= labels.items() and labels[""] == -1
    assert len(set(labels.values())) == len(labels)


def test_the_origin_is_that_of_the_first_file_but_for_images_of_different_places(workplace, join):
    about = TOWER | {"dataset": "/photos", "split": None, "config": {"seed": 1}}
    embedding_file(workplace / "a.npz", [0], **about)
    embedding_file(workplace / "b.npz", [0], seed=1, **about | {"checkpoint": "b.keras"})
    embedding_file(workplace / "c.npz", [0], seed=2, **about | {"dataset": "/others"})
    for files, dataset in (("ab", "/photos"), ("abc", None)):
        assert join(*(f"{name}.npz" for name in files), "--overwrite")[0] == 0
        assert read_table(workplace / "out.parquet").metadata == about | {"dataset": dataset}


def test_the_store_itself_is_replaced_since_it_is_named_and_no_other_file_is(workplace, join):
    embedding_file(workplace / "store.parquet", [0, 1], **TOWER)
    embedding_file(workplace / "new.parquet", [2], seed=1, **TOWER)
    request = ["store.parquet", "new.parquet", "--output"]
    assert join(*request, "store.parquet")[0] == 0
    assert len(read_table(workplace / "store.parquet").ids) == 3
    before = (workplace / "store.parquet").read_bytes()
    assert join(*request, "store.parquet")[0] == 0  # once more
    assert (workplace / "store.parquet").read_bytes() == before
    embedding_file(workplace / "other.parquet", [0])
    status, _, err = join(*request, "other.parquet")
    assert status == 2 and "other.parquet exists; give --overwrite" in err
    assert join(*request, "other.parquet", "--overwrite")[0] == 0
    assert sorted(path.name for path in workplace.iterdir()) == [
        "new.parquet",
        "other.parquet",
        "store.parquet",
    ]


@pytest.mark.parametrize(
    "about, message",
    [
        ({"checkpoint_sha256": "2"}, "different checkpoints, a.keras (SHA-256 1...) and None"),
        ({"checkpoint_sha256": "1", "quantize": "int8"}, "and b.npz with int8 weights: embed both"),
        ({"checkpoint_sha256": "1", "flip": True}, "b.npz was embedded with --flip and a.npz"),
        ({}, "b.npz does not name its checkpoint"),
    ],
)
def test_vectors_that_cannot_be_compared_are_not_joined(workplace, join, about, message):
    embedding_file(workplace / "a.npz", [0, 1], **TOWER)
    embedding_file(workplace / "b.npz", [0, 1], seed=1, **about)
    status, _, err = join("a.npz", "b.npz")
    assert status == 2 and message in err
    assert not (workplace / "out.parquet").exists()


def test_a_column_that_a_file_does_not_have_is_null_there(workplace, join):
    columns = {
        "a": {
            "group": pa.array(["x", ""]),
            "price": pa.array([1, 2]),
            "note": pa.array(["m", "n"]),
        },
        "b": {"role": pa.array(["query"]), "price": pa.array([0.5])},
        "c": {},
    }
    for seed, (name, some) in enumerate(columns.items()):
        labels = [0] * (2 if name == "a" else 1)
        file = embedding_file(workplace / f"{name}.parquet", labels, seed=seed, **TOWER)
        write_table(replace(read_table(file), columns=some), file, "parquet")
    assert join("a.parquet", "b.parquet", "c.parquet")[0] == 0
    found = read_table(workplace / "out.parquet").columns
    assert {name: values.to_pylist() for name, values in found.items()} == {
        "group": ["x", "", "", ""],
        "price": [1, 2, 0.5, None],
        "note": ["m", "n", None, None],
        "role": ["both", "both", "query", "both"],
    }
    wrong = replace(read_table(file), columns={"price": pa.array(["high"])})
    write_table(wrong, file, "parquet")
    status, _, err = join("a.parquet", "c.parquet", "--output", "x.parquet")
    assert status == 2 and "column 'price' is int64 in a.parquet, but string in c.parquet" in err


def test_a_merged_file_keeps_its_type_and_its_numbers_unless_asked(workplace, join):
    for seed, name in enumerate(["a", "b"]):
        file = embedding_file(workplace / f"{name}.parquet", [0, 1, 2], seed=seed, **TOWER)
        table = read_table(file)
        write_table(replace(table, metadata=TOWER | {"dtype": "int8"}), file, "parquet")
    assert join("a.parquet", "b.parquet")[0] == 0
    assert read_table(workplace / "out.parquet").metadata["dtype"] == "int8"
    assert rows_of(workplace / "out.parquet") == joined_slowly(
        *(workplace / f"{name}.parquet" for name in "ab")
    )
    for options, dtype in (
        (["--dtype", "float32", "--output", "x.parquet"], None),
        (["--output", "x.npz"], None),
        (["--dtype", "float16", "--output", "y.parquet"], "float16"),
    ):
        assert join("out.parquet", *options)[0] == 0
        assert read_table(workplace / options[-1]).metadata.get("dtype") == dtype


def test_a_parquet_file_is_read_by_row_group_with_the_same_rows(workplace, join, monkeypatch):
    monkeypatch.setattr(parquet, "_ROWS", 5)
    labels = np.random.default_rng(0).integers(0, 3, 23)
    files = [workplace / f"{seed}.parquet" for seed in (0, 1)]
    for seed, file in enumerate(files):
        whole = read_table(embedding_file(workplace / "all.npz", labels, seed=seed, **TOWER))
        with writing(file, "parquet", 3, TOWER) as append:
            for row in range(23):
                one = slice(row, row + 1)
                append(
                    replace(
                        whole,
                        embeddings=whole.embeddings[one],
                        labels=whole.labels[one],
                        label_names=whole.label_names[one],
                        ids=whole.ids[one],
                    )
                )
    assert [len(list(read_batches(file))) for file in files] == [5, 5]
    assert join(*files)[0] == 0
    assert rows_of(workplace / "out.parquet") == joined_slowly(*files)


def test_files_without_rows_are_joined(workplace, join):
    embedding_file(workplace / "a.parquet", [], **TOWER)
    assert join("a.parquet", "a.parquet")[:2] == (0, "out.parquet: 0 vectors of 3 dimensions\n")
    assert [t.metadata for t in read_batches(workplace / "out.parquet")] == [TOWER]
    embedding_file(workplace / "b.parquet", [0, 1], **TOWER)
    for files in (["a.parquet", "b.parquet"], ["b.parquet", "a.parquet"]):
        assert join(*files, "--overwrite")[0] == 0
        assert rows_of(workplace / "out.parquet") == rows_of(workplace / "b.parquet")


def test_two_merges_into_one_file_do_not_lose_rows(workplace, join, monkeypatch):
    embedding_file(workplace / "store.parquet", [0, 1], **TOWER)
    embedding_file(workplace / "new.parquet", [2], seed=1, **TOWER)
    request = ["store.parquet", "new.parquet", "--output", "store.parquet"]
    before = (workplace / "store.parquet").read_bytes()
    with locked_by(workplace / ".store.parquet.lock", ""):
        status, _, err = join(*request)
    assert status == 2 and "another process is writing store.parquet" in err

    def replaced_meanwhile(files):
        whole = merging.merged(files)
        os.utime("new.parquet", (0, 0))
        return whole

    monkeypatch.setattr(merge, "merged", replaced_meanwhile)
    status, _, err = join(*request)
    assert status == 1 and "new.parquet was replaced while it was read" in err
    assert (workplace / "store.parquet").read_bytes() == before
    assert len(list(workplace.iterdir())) == 2


def test_shards_are_joined_like_the_whole(workplace, join):
    (workplace / "parts.parquet").mkdir()
    for number, seed in ((1, 5), (2, 6)):
        file = workplace / "parts.parquet" / part_name((number, 2), "parquet")
        embedding_file(file, [0, 1], seed=seed, shard=[number, 2], **TOWER)
        embedding_file(workplace / f"{number}.parquet", [0, 1], seed=seed, **TOWER)
    embedding_file(workplace / "a.parquet", [2], **TOWER)
    assert join("a.parquet", "parts.parquet")[0] == 0
    assert join("a.parquet", "1.parquet", "2.parquet", "--output", "whole.parquet")[0] == 0
    found, expected = (workplace / f"{name}.parquet" for name in ("out", "whole"))
    assert found.read_bytes() == expected.read_bytes()
