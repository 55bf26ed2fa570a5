"""Columns of images."""

from dataclasses import replace

import numpy as np
import pyarrow as pa

from tests.helpers.tables import table as made
from triplet_train.data.classes import rotated
from triplet_train.data.images import selected
from triplet_train.embeddings.table import concatenated, make_table


def test_columns_follow_their_images():
    images = made(np.zeros((3, 2, 2, 1), np.uint8), np.array([0, 0, 1]))
    images = replace(images, columns={"group": pa.array(["a", "b", "c"])})
    chosen = selected(images, np.array([2, 0]))
    assert chosen.columns["group"].to_pylist() == ["c", "a"]
    assert rotated(chosen).columns["group"].to_pylist() == ["c"] * 4 + ["a"] * 4
    parts = [make_table(np.eye(len(b), 2), b, {}) for b in images.batches(2)]
    assert [part.columns["group"].to_pylist() for part in parts] == [["a", "b"], ["c"]]
    assert concatenated(parts).columns["group"].to_pylist() == ["a", "b", "c"]
