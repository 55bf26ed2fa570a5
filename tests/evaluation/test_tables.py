"""Evaluated tables, and the images that belong to them."""

import numpy as np
import pytest

from triplet_train.embeddings.table import EmbeddingTable
from triplet_train.evaluation.tables import evaluate_tables


@pytest.mark.parametrize("labels, shown", [([0, 0, 1, 1], True), ([-1, 0, 0, 1, 1], False)])
def test_images_are_shown_only_if_their_indices_are_those_of_the_queries(labels, shown):
    rows = len(labels)
    vectors = np.random.default_rng(0).normal(size=(rows, 3)).astype(np.float32)
    names = [str(label) if label >= 0 else "" for label in labels]
    table = EmbeddingTable(vectors, np.array(labels), names, [f"row {n}" for n in range(rows)], {})
    evaluated = evaluate_tables({}, table, images="the images")
    assert (evaluated.images == "the images") == shown
    assert len(evaluated.queries.ids) == 4
    assert evaluated.result.coverage.rows_without_label == rows - 4
