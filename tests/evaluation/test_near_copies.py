"""Sets of near-copies, and sets that are none."""

import numpy as np
import pytest

from triplet_train.evaluation import evaluate, make_examples

RNG = np.random.default_rng(0)
LABELS = np.repeat(np.arange(10), 10)
VECTORS = RNG.normal(size=(10, 8))[LABELS] + RNG.normal(size=(100, 8))


def notes(*parts):
    return evaluate(make_examples(*parts)).notes


@pytest.mark.parametrize("away", [0, 0.01])
@pytest.mark.parametrize("alone", [False, True])
def test_a_set_of_near_copies_gets_a_note_however_large_its_classes(away, alone):
    twice = np.tile(VECTORS, (2, 1)) + away * RNG.normal(size=(200, 8))
    labels = np.tile(np.arange(100) if alone else LABELS, 2)
    (note,) = notes(twice, labels)
    assert note.startswith("the nearest image of 100% of the queries is at a distance close to 0")
    assert "recall_at_1 says little" in note
    groups = np.tile(np.arange(100), 2)
    if not alone:
        assert notes(twice, labels, groups) == []


def test_a_good_tower_a_poor_one_and_a_collapsed_one_get_none():
    centres = np.eye(10, 8)[LABELS]
    for vectors in (VECTORS, centres + 0.1 * VECTORS, np.ones((100, 8))):
        assert notes(vectors, LABELS) == []
    mixed = np.vstack([VECTORS, VECTORS[:50]])  # two thirds of the images have a copy
    assert notes(mixed, np.append(LABELS, LABELS[:50])) == []
