"""Ray writes the rows that one process writes."""

import os
import sys

import numpy as np
import pytest

from triplet_train.embeddings.files import read_table


@pytest.mark.slow
@pytest.mark.parametrize("source", [["--split", "test[:50]"], ["--images", "photos"]])
def test_ray_gives_the_same_rows(workplace, exported, photos, source, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    assert exported(*source, "--output", "whole.parquet")[0] == 0
    ray = [*source, "--output", "ray.parquet", "--engine", "ray"]
    flipped = ["--output", "flipped.parquet"]
    for more in ([], ["--overwrite"]):
        status, _, err = exported(*ray, *more)
        assert status == 0, err
        whole, table = (read_table(workplace / f"{name}.parquet") for name in ("whole", "ray"))
        assert (table.ids, table.label_names) == (whole.ids, whole.label_names)
        np.testing.assert_allclose(table.embeddings, whole.embeddings, atol=1e-6)
    status, _, err = exported(*source, *flipped, "--flip", "--engine", "ray")
    assert status == 0, err
    table = read_table(workplace / "flipped.parquet")
    assert table.metadata == whole.metadata | {"flip": True}
    assert np.abs(table.embeddings - whole.embeddings).max() > 0.01
    wrong = [*ray[2:], "--split", "tset", "--output", "wrong.parquet"]
    status, _, err = exported(*wrong)
    assert status == 2 and err.count("\n") == 1, err
    assert not (workplace / "wrong.parquet").exists()
    if "--images" in source:
        (workplace / "photos/bad.png").write_bytes(b"no image")
        status, _, err = exported(*ray, "--overwrite")
        assert status == 1 and "photos/bad.png: not an image of a known format" in err
        assert len(read_table(workplace / "ray.parquet").ids) == 20
