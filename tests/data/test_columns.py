"""Columns of images."""

import hashlib
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


def test_groups_and_roles_change_the_digest_of_images_and_further_columns_do_not():
    images = made(np.zeros((2, 2, 2, 1), np.uint8), np.array([0, 1]), ["a", "b"])
    plain = hashlib.sha256(b"a\nb" + np.array([0, 1]).tobytes()).hexdigest()
    values = pa.array(["x", "y"])
    digests = [
        replace(images, columns={name: values}).fingerprint() for name in ("note", "group", "role")
    ]
    assert images.fingerprint() == digests[0] == plain
    assert len({plain, *digests}) == 3
