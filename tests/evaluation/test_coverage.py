from dataclasses import asdict

import numpy as np
import pytest

from tests.helpers.examples import examples
from triplet_train.evaluation import Coverage, coverage_of, evaluate, make_protocol


@pytest.mark.parametrize("classes", [2, 10, 30])
def test_coverage_is_known_before_there_are_vectors(classes):
    rng = np.random.default_rng(classes)
    labels = np.append(rng.integers(0, classes, 40), [97, 97, 98])
    vectors = rng.normal(size=(43, 3))
    sizes = np.unique(labels, return_counts=True)[1]
    lone = int((sizes == 1).sum())
    expected = Coverage(43 - lone, len(sizes) - lone, lone, lone, gallery_images=43)
    assert coverage_of(make_protocol(*examples(np.empty((43, 0)), labels))) == expected
    assert evaluate(*examples(vectors, labels)).coverage == expected


def test_only_the_classes_of_a_gallery_count():
    rng = np.random.default_rng(0)
    x, gallery = rng.normal(size=(7, 2)), rng.normal(size=(5, 2))
    labels = np.array([0, 1, 1, 2, 2, 2, 3]), np.array([2, 2, 1, 9, 9])
    found = evaluate(*examples(x, labels[0], gallery, labels[1]))
    assert found.coverage == Coverage(5, 2, 2, 2, gallery_images=5) and found.left_out_labels == [
        0,
        3,
    ]


@pytest.mark.parametrize(
    "counts, words",
    [
        ((300, 10), "300 queries of 10 classes"),
        ((1, 1, 1, 1), "1 query of 1 class; left out: 1 query of 1 class"),
        ((4, 1, 1250, 50), "4 queries of 1 class; left out: 1,250 queries of 50 classes"),
        ((4, 2, 0, 0, 3), "4 queries of 2 classes; left out: 3 without a label"),
        (
            (4, 2, 5, 5, 3),
            "4 queries of 2 classes; left out: 5 queries of 5 classes, 3 without a label",
        ),
        ((4, 2, 0, 0, 0, 3), "4 queries of 2 classes; left out: 3 with their own group only"),
    ],
)
def test_the_words_name_what_was_left_out_where_any_was(counts, words):
    coverage = Coverage(*counts)
    assert str(coverage) == words
    assert Coverage.of_counts({"map": 0.5} | asdict(coverage)) == coverage
