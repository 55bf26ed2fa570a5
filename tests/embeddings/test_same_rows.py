"""Images that two tables share."""

import numpy as np
import pytest

from triplet_train.embeddings.same_rows import places_of_same_images
from triplet_train.embeddings.table import EmbeddingTable
from triplet_train.errors import RequestError


def table(**classes):
    """A table of ids with the names of their classes; an empty name is no class."""
    names = list(classes.values())
    labels = np.array([sorted({*names} - {""}).index(name) if name else -1 for name in names])
    return EmbeddingTable(np.empty((len(names), 0)), labels, names, list(classes), {})


def places(first, other):
    return places_of_same_images(first, other, ("one", "two"))


def test_images_are_matched_by_id_in_any_order_and_classes_by_name():
    first = table(a="cat", b="dog", c="")
    assert places(first, table(c="", b="dog", a="cat")).tolist() == [2, 1, 0]
    renumbered = EmbeddingTable(
        first.embeddings, np.array([7, 3, -1]), first.label_names, [*"abc"], {}
    )
    assert places(first, renumbered).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"a": "x", "b": "x"}, r"2 are only in one \(c, d\), 0 are only in two$"),
        ({**dict.fromkeys("abcd", "x"), "e": "x"}, r"0 are only in one, 1 are only in two \(e\)$"),
        (dict.fromkeys("uvwxy", "x"), r"4 are only in one \(a, b, c and 1 more\), 5 are only in"),
        (
            {**dict.fromkeys("abc", "x"), "d": "y"},
            "1 images have other classes .* d is 'x' and 'y'",
        ),
        ({**dict.fromkeys("abc", "x"), "d": ""}, "1 images have other classes .* d is 'x' and ''"),
    ],
)
def test_other_images_or_classes_are_refused_with_their_number_and_the_first(other, message):
    with pytest.raises(RequestError, match=message):
        places(table(**dict.fromkeys("abcd", "x")), table(**other))
