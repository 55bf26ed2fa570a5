"""The approximate index: kept beside the file, of its content, with the recall that is told."""

import os
import shutil

import numpy as np
import pytest

from tests.helpers.made_files import embedding_file
from triplet_train.embeddings import hnsw
from triplet_train.embeddings.files import scan_table
from triplet_train.embeddings.nearest import nearest
from triplet_train.errors import RequestError
from triplet_train.files import read_json, write_json

pytest.importorskip("faiss", reason="pip install 'triplet-train[faiss]'")


def silent(stage, rows):
    pass


@pytest.fixture
def indexed(tmp_path):
    """A file of 600 vectors, its scan, and the folder of its index."""
    file = embedding_file(tmp_path / "a.parquet", [0, 1, 2] * 200, width=8)
    scan, folder = scan_table(file), hnsw.index_folder(file)
    hnsw.build_index(folder, scan, silent)
    return file, scan, folder


def test_an_index_finds_what_the_exact_search_finds_and_says_how_often(indexed):
    _, scan, folder = indexed
    index = hnsw.read_index(folder)
    queries = next(scan.blocks())[:50]
    rows, distances = index.nearest(queries, 10)
    exact, expected = nearest(queries, scan.blocks(), 10)
    np.testing.assert_allclose(distances[:, 0], expected[:, 0], atol=1e-6)
    assert (rows == exact).mean() > 0.97 and 0.97 < index.recall <= 1 and index.sampled == 256


def test_the_recall_leaves_out_the_vector_itself():
    exact = np.array([[7, 1, 2], [3, 8, 9]]), None
    found = np.array([[7, 1, 5], [8, 3, 4]]), None
    assert hnsw._recall(np.array([7, 3]), found, exact) == 0.5


def test_an_index_is_that_of_the_content_of_its_file(indexed):
    file, scan, folder = indexed
    assert hnsw.is_current(folder, scan)
    shutil.copy(file, file.with_name("b"))
    os.replace(file.with_name("b"), file)  # the same content at another time
    assert hnsw.is_current(folder, scan)
    assert read_json(folder / "about.json")["files"] == hnsw._stamps(scan)
    embedding_file(file, [0, 1, 2] * 200, width=8, seed=1)
    assert not hnsw.is_current(folder, scan_table(file))
    assert not hnsw.is_current(folder.with_name("other"), scan)


def test_the_progress_is_that_of_two_passes(tmp_path):
    scan = scan_table(embedding_file(tmp_path / "a.parquet", [0, 1]))
    done = {}
    hnsw.build_index(tmp_path / "i", scan, lambda stage, n: done.update({stage: n}))
    assert list(done.values()) == [2, 2]


def test_other_folders_and_damaged_indices_are_refused(indexed):
    _, scan, folder = indexed
    whole = (folder / "index.faiss").read_bytes()
    (folder / "index.faiss").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RequestError, match=r"is damaged: .*remove it"):
        hnsw.read_index(folder)
    (folder / "index.faiss").write_bytes(whole)
    about = read_json(folder / "about.json")
    del about["recall"]
    write_json(folder / "about.json", about)
    with pytest.raises(RequestError, match=r"is damaged: .*remove it"):
        hnsw.read_index(folder)
    (folder / "about.json").unlink()
    with pytest.raises(RequestError, match="is not an index of triplet-search"):
        hnsw.is_current(folder, scan)
