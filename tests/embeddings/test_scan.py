"""Files that are read in blocks hold what `read_table` reads at once."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.helpers.made_files import embedding_file
from triplet_train.embeddings.files import read_table, scan_table
from triplet_train.embeddings.output import part_name
from triplet_train.embeddings.table import METADATA_KEY
from triplet_train.errors import RequestError
from triplet_train.registry import FILES

LABELS = [0, 1, 2, -1, 1] * 5000  # more than a block


def assert_same(scan, table):
    blocks = list(scan.blocks())
    assert len(blocks) > 1 and np.array_equal(np.concatenate(blocks), table.embeddings)
    assert (scan.count, scan.width) == table.embeddings.shape and scan.metadata == table.metadata
    rows = np.array([len(table.ids) - 1, 3, 0, 3])
    for row, entry in zip(rows, scan.entries(rows), strict=True):
        assert entry == (table.ids[row], table.labels[row], table.label_names[row])


@pytest.mark.parametrize("format", FILES)
def test_a_scan_gives_the_rows_of_the_table(tmp_path, format):
    file = embedding_file(tmp_path / f"a.{format}", LABELS, checkpoint_sha256="b")
    assert_same(scan_table(file), read_table(file))


@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_vectors_in_fewer_bits_are_read_as_in_a_table(tmp_path, dtype):
    file = embedding_file(tmp_path / "a.parquet", LABELS, dtype=dtype)
    assert_same(scan_table(file), read_table(file))


@pytest.mark.parametrize("format", FILES)
def test_shards_are_scanned_in_their_order(tmp_path, format):
    folder = tmp_path / f"all.{format}"
    folder.mkdir()
    for part in (1, 2, 3):
        about = {"shard": [part, 3], "shards_of": "c"}
        file = folder / part_name((part, 3), format)
        embedding_file(file, LABELS[: 4000 * part], seed=part, **about)
    assert_same(scan_table(folder), read_table(folder))
    file.unlink()
    with pytest.raises(RequestError, match="does not hold all shards"):
        scan_table(folder)


def changed(table, **columns):
    for name, values in columns.items():
        table = table.set_column(table.column_names.index(name), name, values)
    return table


def test_other_files_are_refused(tmp_path):
    table = pq.read_table(embedding_file(tmp_path / "a.parquet", [0, 1]))
    lists = pa.array([[1.0, 2.0, 3.0]] * 2, pa.list_(pa.float32(), 3))
    nan = pa.array([[1.0, 2.0, np.nan]] * 2, pa.list_(pa.float32(), 3))
    deep = lists.cast(pa.list_(pa.float64(), 3))
    for name, wrong, words in (
        ("numbers", changed(table, id=pa.array([1, 2])), "id is int64"),
        ("deep", changed(table, embedding=deep), "not float32"),
        ("without", table.drop_columns(["embedding"]), "embedding"),
        ("foreign", table.replace_schema_metadata({}), METADATA_KEY),
        ("nan", changed(table, embedding=nan), "not finite"),
    ):
        file = tmp_path / f"{name}.parquet"
        pq.write_table(wrong, file)
        with pytest.raises(RequestError, match=f"{name}.parquet is not an embedding .*{words}"):
            list(scan_table(file).blocks())
