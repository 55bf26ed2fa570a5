from dataclasses import replace

import duckdb
import numpy as np
import pandas as pd
import pytest

from triplet_train.embeddings.files import read_table, write_table
from triplet_train.embeddings.small_types import rounding_errors
from triplet_train.embeddings.table import EmbeddingTable
from triplet_train.errors import RunError


def test_pandas_reads_the_parquet(tmp_path, table):
    write_table(table, tmp_path / "x.parquet", "parquet")
    frame = pd.read_parquet(tmp_path / "x.parquet")
    assert list(frame.columns) == ["id", "label", "label_name", "embedding"]
    np.testing.assert_array_equal(np.stack(frame["embedding"]), table.embeddings)
    assert frame["label"].tolist() == table.labels.tolist()


SIZES = {"float32": 4, "float16": 2, "int8": 1}  # bytes


def large(rows=10_000, width=64):
    vectors = np.random.default_rng(0).normal(size=(rows, width)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[1] = 0
    texts = [""] * rows
    return EmbeddingTable(vectors, np.zeros(rows, np.int64), texts, texts, {})


@pytest.fixture
def written(tmp_path):
    """Write a table in a type and read it back: `written(table, dtype)` -> (table, file)."""

    def write(table, dtype):
        file = tmp_path / f"{dtype}.parquet"
        write_table(replace(table, metadata=table.metadata | {"dtype": dtype}), file, "parquet")
        return read_table(file), file

    return write


def test_smaller_types_take_half_and_a_quarter_of_the_size_and_are_read_as_float32(written):
    table = large()
    for dtype, size in SIZES.items():
        back, file = written(table, dtype)
        assert back.embeddings.dtype == np.float32 and back.metadata["dtype"] == dtype
        scales = 4 * len(table.ids) if dtype == "int8" else 0
        assert file.stat().st_size < 1.02 * (size * table.embeddings.size + scales)
        assert list(back.columns) == [] and not back.embeddings[1].any()
        moved = np.linalg.norm(back.embeddings - table.embeddings, axis=1)
        largest = rounding_errors(back.embeddings, dtype)
        assert (moved <= largest).all() and (moved >= largest / 4).all()
    for row, vector in enumerate(table.embeddings[:50]):  # of int8, the last
        step = np.abs(vector).max() / 127
        np.testing.assert_allclose(back.embeddings[row], vector, atol=0.51 * step)


def test_float16_and_int8_do_not_change_when_they_are_written_again(written):
    table = large(2000)
    table.embeddings[:] *= np.random.default_rng(1).lognormal(0, 5, (2000, 1))  # any lengths
    table.embeddings[2:] = np.clip(table.embeddings[2:], -60_000, 60_000)
    for dtype in ("float16", "int8"):
        once, file = written(table, dtype)
        content = file.read_bytes()
        again, file = written(once, dtype)
        np.testing.assert_array_equal(again.embeddings, once.embeddings)
        assert file.read_bytes() == content


def test_pandas_and_duckdb_read_smaller_types(written, table):
    for dtype in ("float16", "int8"):
        back, file = written(table, dtype)
        frame = pd.read_parquet(file)
        numbers = np.stack(frame["embedding"])
        assert numbers.dtype == dtype
        if dtype == "int8":
            numbers = numbers * frame["embedding_scale"].to_numpy()[:, None]
        np.testing.assert_array_equal(numbers.astype(np.float32), back.embeddings)
        first = duckdb.sql(f"SELECT embedding[1] FROM '{file}'").fetchall()
        assert len(first) == 6


def test_numbers_that_float16_cannot_hold_are_refused(written, table):
    with pytest.raises(RunError, match="too large for float16"):
        written(replace(table, embeddings=table.embeddings * 1e6), "float16")
