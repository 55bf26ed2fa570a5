import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from triplet_train.embeddings.files import read_table, write_table
from triplet_train.embeddings.formats import file_name, resolve_format
from triplet_train.embeddings.table import EmbeddingTable
from triplet_train.errors import RequestError


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    names = ["cat", "tab\there", 'quote"d', "ünï", "", "new\nline"]
    return EmbeddingTable(
        rng.normal(size=(6, 4)).astype(np.float32),
        np.arange(6, dtype=np.int64) * 2**40,
        names,
        [f"file__{row}" for row in range(6)],
        {"dataset": "made/1.0.0", "split": "test", "config": {"seed": 1}},
    )


@pytest.mark.parametrize("format", ["parquet", "npz"])
def test_what_is_written_is_read_back_bit_for_bit(tmp_path, table, format):
    path = tmp_path / file_name("x", format)
    write_table(table, path, format)
    back = read_table(path)
    np.testing.assert_array_equal(back.embeddings, table.embeddings)
    np.testing.assert_array_equal(back.labels, table.labels)
    assert back.embeddings.dtype == np.float32 and back.labels.dtype == np.int64
    assert (back.label_names, back.ids, back.metadata) == (
        table.label_names,
        table.ids,
        table.metadata,
    )
    assert list(tmp_path.iterdir()) == [path]


def test_pandas_reads_the_parquet(tmp_path, table):
    write_table(table, tmp_path / "x.parquet", "parquet")
    frame = pd.read_parquet(tmp_path / "x.parquet")
    assert list(frame.columns) == ["id", "label", "label_name", "embedding"]
    np.testing.assert_array_equal(np.stack(frame["embedding"]), table.embeddings)
    assert frame["label"].tolist() == table.labels.tolist()


def test_numpy_alone_reads_the_npz_without_pickle(tmp_path, table):
    write_table(table, tmp_path / "x.npz", "npz")
    with np.load(tmp_path / "x.npz", allow_pickle=False) as arrays:
        assert sorted(arrays) == ["embeddings", "ids", "label_names", "labels", "metadata"]
        assert json.loads(str(arrays["metadata"])) == table.metadata


def test_the_projector_finds_a_line_per_vector_in_both_files(tmp_path, table):
    path = tmp_path / "x.projector"
    write_table(table, path, "projector")
    vectors = [line.split("\t") for line in (path / "vectors.tsv").read_text().splitlines()]
    np.testing.assert_array_equal(np.array(vectors, np.float32), table.embeddings)
    lines = (path / "metadata.tsv").read_text(encoding="utf-8").split("\n")
    assert lines[0] == "label_name\tlabel\tid" and lines[-1] == "" and len(lines) == 8
    assert all(line.count("\t") == 2 for line in lines[:-1])
    assert json.loads((path / "metadata.json").read_text()) == table.metadata


def test_tensorboard_opens_the_projector_folder(tmp_path, table):
    write_table(table, tmp_path / "x", "projector")
    code = """
import sys
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.projector.projector_plugin import ProjectorPlugin
plugin = ProjectorPlugin(TBContext(logdir=sys.argv[1]))
plugin._update_configs()
(config,) = plugin._configs.values()
(embedding,) = config.embeddings
assert embedding.tensor_path == "vectors.tsv" and list(embedding.tensor_shape) == [6, 4], config
assert embedding.metadata_path == "metadata.tsv"
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "x")], check=True)


def test_the_same_table_gives_the_same_bytes(tmp_path, table):
    for name in ("a.parquet", "b.parquet"):
        write_table(table, tmp_path / name, "parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, table):
    path = tmp_path / "x.parquet"
    write_table(table, path, "parquet")
    before = path.read_bytes()
    broken = EmbeddingTable(table.embeddings, table.labels[:3], table.label_names, table.ids, {})
    with pytest.raises(Exception, match="length"):
        write_table(broken, path, "parquet")
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "name", ["missing.parquet", "text.parquet", "text.npz", "x.csv", "other.npz"]
)
def test_what_is_no_embedding_file_is_refused_by_its_path(tmp_path, name):
    if name.startswith("text"):
        (tmp_path / name).write_text("nothing of the kind")
    elif name == "other.npz":
        np.savez(tmp_path / name, something=np.zeros(3))
    with pytest.raises(RequestError, match=name):
        read_table(tmp_path / name)


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


def test_a_parquet_of_another_make_is_refused(tmp_path):
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(RequestError, match=r"other\.parquet"):
        read_table(tmp_path / "other.parquet")


def test_the_format_is_told_by_the_name_or_asked_for(tmp_path):
    assert resolve_format(tmp_path / "a.parquet", None) == "parquet"
    assert resolve_format(tmp_path / "a.npz", None) == "npz"
    assert resolve_format(tmp_path / "a", "projector") == "projector"
    for path, asked in (
        (tmp_path / "a.csv", None),
        (tmp_path / "a", None),
        (tmp_path / "a", "csv"),
    ):
        with pytest.raises(RequestError, match="format"):
            resolve_format(path, asked)
