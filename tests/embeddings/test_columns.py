"""Columns of images in embedding files."""

import datetime
import json
from dataclasses import replace

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from triplet_train.data.columns import types_of
from triplet_train.embeddings.files import read_table, write_table, writing
from triplet_train.embeddings.output import part_name
from triplet_train.registry import FILES

DAY = datetime.date(2026, 11, 27)
EVERY = {
    "group": pa.array(["a", "", "c", "", "e", "ü"]),
    "role": pa.array(["query", "gallery", "both"] * 2),
    "price": pa.array([1.5, None, 3.5, float("nan"), 0, -1], pa.float32()),
    "stock": pa.array([2**60, None, 0, 1, 2, 3]),
    "sold": pa.array([True, None, False, True, False, True]),
    "note": pa.array(["x", None, "", "tab\there", "é", "nul\0."]),
    "day": pa.array([DAY, None, DAY, DAY, DAY, DAY]),
    "tags": pa.array([["a", "b"], None, [], ["c"], [], []]),
    "kind": pa.array(["x", None, "y", "x", "y", "y"]).dictionary_encode(),
    "empty": pa.nulls(6),
}
# npz and HDF5 have numbers, booleans and text only.
AS_TEXT = {
    "note": ["x", None, "", "tab\there", "é", "nul."],
    "day": ["2026-11-27", None, *["2026-11-27"] * 4],
    "tags": ['["a", "b"]', None, "[]", '["c"]', "[]", "[]"],
}


@pytest.fixture
def full(table):
    return replace(table, columns=EVERY)


def values(columns):
    return {name: list(map(str, column.to_pylist())) for name, column in columns.items()}


@pytest.mark.parametrize("format", FILES)
def test_columns_are_read_back_in_their_types_or_as_text(tmp_path, full, format):
    file = tmp_path / f"x.{format}"
    write_table(full, file, format)
    back = read_table(file).columns
    if format == "parquet":
        assert types_of(back) == types_of(EVERY)
        assert values(back) == values(EVERY)
    else:
        numbers = {name: EVERY[name].type for name in ("price", "stock", "sold")}
        assert {name: back[name].type for name in numbers} == numbers
        texts = {name: pa.array(column) for name, column in AS_TEXT.items()}
        assert values(back) == values(EVERY | texts)


def test_numpy_and_h5py_alone_read_the_columns(tmp_path, full):
    for format in ("npz", "h5"):
        write_table(full, tmp_path / f"x.{format}", format)
    with np.load(tmp_path / "x.npz", allow_pickle=False) as arrays:
        assert arrays["groups"].tolist() == EVERY["group"].to_pylist()
        assert arrays["stock"].tolist() == [2**60, 0, 0, 1, 2, 3]
        assert np.flatnonzero(arrays["missing/stock"]).tolist() == [1]
        assert set(arrays) >= {"embeddings", "labels", "label_names", "ids", "roles", "metadata"}
    with h5py.File(tmp_path / "x.h5") as file:
        assert file["roles"].asstr()[()].tolist() == EVERY["role"].to_pylist()
        assert file["missing"]["day"][()].tolist() == [False, True, *[False] * 4]


@pytest.mark.parametrize("format", FILES)
def test_shards_join_their_columns_and_one_without_rows_has_them(tmp_path, full, format):
    folder = tmp_path / f"x.{format}"
    folder.mkdir()
    for number, rows in enumerate((slice(0, 4), slice(4, 4), slice(4, 6)), 1):
        part = replace(
            full,
            embeddings=full.embeddings[rows],
            labels=full.labels[rows],
            label_names=full.label_names[rows],
            ids=full.ids[rows],
            columns={name: column[rows] for name, column in EVERY.items()},
        )
        about = full.metadata | {"shard": [number, 3]}
        file = folder / part_name((number, 3), format)
        with writing(file, format, 4, about, types_of(EVERY)) as append:
            if len(part.ids):
                append(part)
    whole = tmp_path / f"whole.{format}"
    write_table(full, whole, format)
    one, other = read_table(folder).columns, read_table(whole).columns
    assert types_of(one) == types_of(other) and values(one) == values(other)


def test_the_projector_shows_columns_beside_the_labels(tmp_path, full):
    write_table(full, tmp_path / "x", "projector")
    lines = (tmp_path / "x/metadata.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines]
    assert rows[0] == ["label_name", "label", "id", *EVERY] and {len(row) for row in rows} == {13}
    assert rows[1][3:8] == ["a", "query", "1.5", str(2**60), "True"]
    assert json.loads((tmp_path / "x/metadata.json").read_text()) == full.metadata
