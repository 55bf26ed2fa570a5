"""Formats that a request names, and outputs that it may not replace."""

import os
from pathlib import Path

import numpy as np
import pytest

from triplet_train.embeddings.files import write_table
from triplet_train.embeddings.output import refuse_output
from triplet_train.embeddings.table import EmbeddingTable
from triplet_train.errors import RequestError
from triplet_train.jobs.embed.request import EmbedRequest


def request(output, **options):
    return EmbedRequest(checkpoint=Path("run"), output=output, **options)


def write(path, format):
    vectors, labels = np.zeros((2, 3), np.float32), np.arange(2)
    write_table(EmbeddingTable(vectors, labels, ["a", "b"], ["0", "1"], {}), path, format)


def test_the_format_follows_from_the_name_or_is_asked_for(tmp_path):
    assert request(tmp_path / "a.parquet").written_format == "parquet"
    assert request(tmp_path / "a.npz").written_format == "npz"
    assert request(tmp_path / "a", format="projector").written_format == "projector"
    for name, asked in (("a.csv", None), ("a", None), ("a", "csv"), ("a", "npz"), ("a.h5", "npz")):
        with pytest.raises(RequestError, match="format"):
            request(tmp_path / name, format=asked)


def test_options_that_exclude_each_other_are_refused_before_the_output_is_looked_at(tmp_path):
    output = tmp_path / "missing" / "x.npz"
    for options, message in (
        ({"images": tmp_path, "classes": "all"}, "give --images or a split"),
        ({"dataset": "image_folder"}, "embed a folder or table with triplet-embed --images"),
        ({"engine": "rya"}, "expected local or ray"),
        ({"engine": "ray", "shard": "1/2"}, "leave out --shard"),
        ({"shard": "3/2"}, "expected I/N"),
        ({}, "there is no folder"),
    ):
        with pytest.raises(RequestError, match=message):
            request(output, **options)


@pytest.mark.parametrize(
    "names", [[".git/HEAD"], ["part-00000-abc.snappy.parquet"], ["events.out", "vectors.tsv"]]
)
def test_a_folder_that_only_looks_like_an_export_is_not_replaced(tmp_path, names):
    for folder in ("out", "out.parquet"):
        for name in names:
            (tmp_path / folder / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / folder / name).touch()
    with pytest.raises(RequestError, match="out is a folder that triplet-embed did not write"):
        request(tmp_path / "out", format="projector", overwrite=True)
    with pytest.raises(RequestError, match=r"out\.parquet is a folder with content other than"):
        request(tmp_path / "out.parquet", shard="1/2", overwrite=True)


def test_an_export_is_replaced_when_asked_for_and_no_shard_is_put_among_its_files(tmp_path):
    write(tmp_path / "map", "projector")
    request(tmp_path / "map", format="projector", overwrite=True)
    (tmp_path / "map").rename(tmp_path / "map.npz")
    with pytest.raises(RequestError, match="content other than shards"):
        request(tmp_path / "map.npz", shard="1/2")
    (tmp_path / "parts.npz").mkdir()
    first = request(tmp_path / "parts.npz", shard="1/2").file
    assert first.parent == tmp_path / "parts.npz"
    write(first, "npz")
    assert request(tmp_path / "parts.npz", shard="2/2").file.parent == first.parent
    with pytest.raises(RequestError, match=f"{first.name} exists"):
        request(tmp_path / "parts.npz", shard="1/2")
    request(tmp_path / "parts.npz", shard="1/2", overwrite=True)
    refuse_output(tmp_path / "parts.npz", folder=True, overwrite=True)


def test_a_pipe_or_a_device_is_never_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for output in (tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(RequestError, match="is a pipe or a device"):
            refuse_output(output, folder=False, overwrite=True)
