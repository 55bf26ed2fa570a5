"""Files of the neighbours and the metrics of single queries, and re-ranked metrics."""

import json

import h5py
import numpy as np
import pandas as pd
import pytest

from tests.helpers.made_files import embedding_file
from triplet_train.cli.evaluate import main as evaluate
from triplet_train.embeddings.files import read_table

LABELS = [0, 1, 2] * 8


def frame_of(path):
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            return pd.DataFrame({name: arrays[name] for name in arrays})
    with h5py.File(path) as file:
        read = {name: values for name, values in file.items()}
        text = h5py.check_string_dtype
        return pd.DataFrame(
            {n: v.asstr()[()] if text(v.dtype) else v[()] for n, v in read.items()}
        )[list(pd.read_parquet(path.with_suffix(".parquet")).columns)]  # HDF5 sorts the names


def test_neighbours_are_the_nearest_images_of_each_query(workplace, command):
    queries = embedding_file(workplace / "q.npz", LABELS[:9])
    gallery = embedding_file(workplace / "g.npz", [*LABELS, -1, -1], seed=1)
    files = ["--queries", queries, "--gallery", gallery]
    status, _, err = command(evaluate, *files, "--neighbours", "near.parquet", "--top", "12")
    assert status == 0, err
    frame = pd.read_parquet("near.parquet")
    assert list(frame.columns) == [
        *("query", "rank", "gallery", "distance", "same", "query_class", "gallery_class")
    ]
    asking, found = read_table(queries), read_table(gallery)
    assert frame["query"].tolist() == np.repeat(asking.ids, 12).tolist()
    assert frame["rank"].tolist() == [*range(1, 13)] * 9
    for query, rows in frame.groupby("query", sort=False):
        row = asking.ids.index(query)
        distances = np.linalg.norm(found.embeddings - asking.embeddings[row], axis=1)
        order = np.argsort(distances)[:12]
        assert rows["gallery"].tolist() == [found.ids[place] for place in order]
        assert rows["gallery_class"].tolist() == [found.label_names[place] for place in order]
        assert rows["same"].tolist() == (found.labels[order] == asking.labels[row]).tolist()
        assert set(rows["query_class"]) == {asking.label_names[row]}
        np.testing.assert_allclose(rows["distance"], distances[order], rtol=1e-5)


def test_a_query_with_few_images_to_search_has_as_many_neighbours(workplace, command):
    file = embedding_file(workplace / "q.npz", [0, 0, 1, 1, 2])
    assert command(evaluate, "--queries", file, "--neighbours", "n.parquet")[0] == 0
    frame = pd.read_parquet("n.parquet")
    assert frame.groupby("query")["rank"].max().tolist() == [4] * 4  # the owl is left out
    assert (frame["query"] != frame["gallery"]).all()


def test_metrics_of_single_queries_and_of_re_ranked_lists_have_the_printed_means(
    workplace, command
):
    file = embedding_file(workplace / "q.npz", LABELS, width=4)
    outputs = ["--json", "a.json", "--neighbours", "n.parquet", "--per-query", "m.parquet"]
    status, out, err = command(evaluate, "--queries", file, "--rerank", *outputs)
    assert status == 0, err
    answer = json.loads((workplace / "a.json").read_text())
    frame = pd.read_parquet("m.parquet")
    assert frame["id"].tolist() == read_table(file).ids
    assert frame["class"].tolist() == read_table(file).label_names
    reranked = answer["reranked"]
    assert {"recall_at_1", "map", "knn_accuracy"} <= reranked.keys()
    assert not {"roc_auc", "nmi"} & reranked.keys()
    for name, value in reranked.items():
        assert frame[name].mean() == pytest.approx(answer[name])
        assert frame[f"reranked_{name}"].mean() == pytest.approx(value)
        assert f"{answer[name]:.4f}  {value:>9.4f}" in out
    assert "re-ranked" in out and set(frame.columns) == {
        *("id", "class"),
        *reranked,
        *(f"reranked_{name}" for name in reranked),
    }
    first = pd.read_parquet("n.parquet").query("rank == 1")
    assert first["same"].mean() == pytest.approx(reranked["recall_at_1"])


def test_files_of_queries_have_the_format_of_their_suffix_and_are_not_replaced_unasked(
    workplace, command
):
    file = embedding_file(workplace / "q.npz", [*LABELS, -1])
    for suffix in ("parquet", "npz", "h5"):
        outputs = ["--neighbours", f"n.{suffix}", "--per-query", f"m.{suffix}"]
        request = ["--queries", file, *outputs]
        status, _, err = command(evaluate, *request)
        assert status == 0, err
        for name in ("n", "m"):
            found = frame_of(workplace / f"{name}.{suffix}")
            expected = pd.read_parquet(f"{name}.parquet")
            pd.testing.assert_frame_equal(found, expected, check_dtype=False)
        status, _, err = command(evaluate, *request)
        assert status == 2 and f"n.{suffix} exists; give --overwrite" in err
        assert command(evaluate, *request, "--overwrite")[0] == 0
