"""What is judged, and the images that belong to it."""

import numpy as np
import pytest

from triplet_train.console import SILENT
from triplet_train.embeddings.table import EmbeddingTable
from triplet_train.jobs.judged import judge_tables


@pytest.mark.parametrize("labels, shown", [([0, 0, 1, 1], True), ([-1, 0, 0, 1, 1], False)])
def test_images_are_shown_only_where_their_row_numbers_are_those_of_what_is_judged(labels, shown):
    rows = len(labels)
    vectors = np.random.default_rng(0).normal(size=(rows, 3)).astype(np.float32)
    names = [str(label) if label >= 0 else "" for label in labels]
    table = EmbeddingTable(vectors, np.array(labels), names, [f"row {n}" for n in range(rows)], {})
    judged = judge_tables({}, table, None, SILENT, images="the stream")
    assert (judged.images == "the stream") == shown
    assert len(judged.queries.ids) == 4 and judged.judgement.coverage.rows_without_label == rows - 4
