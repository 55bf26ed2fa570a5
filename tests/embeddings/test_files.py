import os
from dataclasses import replace

import numpy as np
import pytest

from triplet_train.embeddings.files import (
    list_exports,
    read_table,
    write_table,
    writing,
    writing_all,
)
from triplet_train.embeddings.output import part_name
from triplet_train.embeddings.table import EmbeddingTable
from triplet_train.errors import RequestError
from triplet_train.files import replacing
from triplet_train.registry import FILES


def rows_of(table, rows):
    return EmbeddingTable(
        table.embeddings[rows],
        table.labels[rows],
        table.label_names[rows],
        table.ids[rows],
        table.metadata,
    )


def assert_same(one, other):
    np.testing.assert_array_equal(one.embeddings, other.embeddings)
    np.testing.assert_array_equal(one.labels, other.labels)
    assert one.embeddings.dtype == np.float32 and one.labels.dtype == np.int64
    assert (one.label_names, one.ids) == (other.label_names, other.ids)
    assert one.metadata == other.metadata


@pytest.mark.parametrize("format", FILES)
def test_a_written_table_is_read_back_bit_for_bit(tmp_path, table, format):
    path = tmp_path / f"x.{format}"
    write_table(table, path, format)
    back = read_table(path)
    assert_same(back, table)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("format", FILES)
@pytest.mark.parametrize("cuts", [[], [2, 3], [0, 6]])
def test_rows_that_come_some_at_a_time_make_the_same_table(tmp_path, table, format, cuts):
    path = tmp_path / f"x.{format}"
    with writing(path, format, 4, table.metadata) as append:
        for start, stop in zip([0, *cuts], [*cuts, 6], strict=True):
            append(rows_of(table, slice(start, stop)))
    assert_same(read_table(path), table)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("format", FILES)
def test_a_file_may_have_no_rows(tmp_path, table, format):
    path = tmp_path / f"x.{format}"
    with writing(path, format, 4, table.metadata):
        pass
    assert_same(read_table(path), rows_of(table, slice(0, 0)))


@pytest.mark.parametrize("format", FILES)
def test_shards_read_together_are_the_whole(tmp_path, table, format):
    folder = tmp_path / f"x.{format}"
    folder.mkdir()
    for number in range(3):
        part = rows_of(table, slice(2 * number, 2 * number + 2))
        part = replace(part, metadata=table.metadata | {"shard": [number + 1, 3]})
        write_table(part, folder / part_name((number + 1, 3), format), format)
    assert_same(read_table(folder), table)
    part = folder / part_name((2, 3), format)
    os.rename(part, tmp_path / "aside")
    with pytest.raises(RequestError, match="does not hold all shards"):
        read_table(folder)
    other = table.metadata | {"split": "train", "shard": [2, 3]}
    write_table(replace(table, metadata=other), part, format)
    with pytest.raises(RequestError, match="different exports"):
        read_table(folder)


def test_shards_belong_together_where_they_are_of_the_same_rows_wherever_these_lie(tmp_path, table):
    (tmp_path / "x.npz").mkdir()

    def read(first, second):
        for number, more in ((1, first), (2, second)):
            about = {"split": None, "shard": [number, 2]} | more
            part = rows_of(table, slice(3 * number - 3, 3 * number))
            file = tmp_path / "x.npz" / part_name((number, 2), "npz")
            write_table(replace(part, metadata=about), file, "npz")
        return read_table(tmp_path / "x.npz")

    here, there = {"dataset": "/mnt/photos"}, {"dataset": "/home/me/photos"}
    both = read(here | {"shards_of": "a"}, there | {"shards_of": "a"})
    assert both.ids == table.ids and both.metadata == here | {"split": None}
    for first, second in (
        (here | {"shards_of": "a"}, here | {"shards_of": "b"}),  # a file came in between
        (here, there),  # of a version that kept no digest
        ({"dataset": "mnist/1", "shards_of": "a"}, {"dataset": "mnist/2", "shards_of": "a"}),
    ):
        with pytest.raises(RequestError, match=r"part-00001-of-00002.npz and part-00002"):
            read(first, second)


def test_several_files_are_written_at_once_or_none(tmp_path, table):
    files = {tmp_path / file_name: file_name[2:] for file_name in ("x.npz", "x.h5")}
    with pytest.raises(ZeroDivisionError), writing_all(files, 4, table.metadata) as append:
        append(table)
        raise ZeroDivisionError
    assert not any(tmp_path.iterdir())
    with writing_all(files, 4, table.metadata) as append:
        append(rows_of(table, slice(0, 4)))
        append(rows_of(table, slice(4, 6)))
    for path, format in files.items():
        assert_same(read_table(path), table)
        list_exports(tmp_path, format)
    assert set(tmp_path.iterdir()) == set(files)


@pytest.mark.parametrize("format", FILES)
def test_the_same_table_gives_the_same_bytes(tmp_path, table, format):
    for name in ("a", "b"):
        write_table(table, tmp_path / name, format)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, table):
    path = tmp_path / "x.parquet"
    write_table(table, path, "parquet")
    before = path.read_bytes()
    broken = EmbeddingTable(table.embeddings, table.labels[:3], table.label_names, table.ids, {})
    with pytest.raises(Exception, match="length"):
        write_table(broken, path, "parquet")
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "wrong",
    [
        {"embeddings": np.zeros(6, np.float32)},
        {"embeddings": np.full((6, 4), np.nan, np.float32)},
        {"labels": np.zeros(5, np.int64)},
        {"labels": np.array(["a"] * 6)},
        {"ids": np.array(["a"])},
        {"metadata": np.array("[1]")},
        {"metadata": np.array("{")},
        {"ids": np.array([{}] * 6, object)},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_table_that_is_not_whole_is_refused(tmp_path, table, wrong):
    write_table(table, tmp_path / "x.npz", "npz")
    with np.load(tmp_path / "x.npz") as arrays:
        np.savez(tmp_path / "y.npz", **(dict(arrays) | wrong))
    with pytest.raises(RequestError, match=r"y\.npz is not an embedding file"):
        read_table(tmp_path / "y.npz")


def test_a_folder_that_cannot_take_the_place_of_another_leaves_it_there(tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/old").touch()

    def fail(*_):
        raise OSError("no")

    with pytest.raises(OSError, match="no"), replacing(tmp_path / "out") as beside:
        beside.mkdir()
        monkeypatch.setattr(os, "replace", fail)
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "old"]
