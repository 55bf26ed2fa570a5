"""Tables of several files have one label for each name."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triplet_train.embeddings.common_labels import names_of, with_common_labels
from triplet_train.embeddings.table import EmbeddingTable


def table(*classes):
    """A row for each (label, name)."""
    rows = len(classes)
    labels = np.array([label for label, _ in classes], np.int64)
    ids = [str(row) for row in range(rows)]
    return EmbeddingTable(np.eye(rows, 2), labels, [name for _, name in classes], ids, {})


ROWS = st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["", "a", "b", "2"])), min_size=1)


@settings(max_examples=200, derandomize=True, deadline=None, database=None)
@given(one=ROWS, other=ROWS)
def test_rows_share_a_label_where_they_share_a_name_and_nowhere_else(one, other):
    tables, names = with_common_labels([table(*one), table(*other)])
    labels = np.concatenate([some.labels for some in tables]).tolist()
    expected = [name or str(label) for label, name in (*one, *other)]
    assert [names[label] for label in labels] == expected
    assert len(set(labels)) == len(set(expected)) == len(names)
    assert names_of(table(*one)) | names_of(table(*other)) == set(expected)


@pytest.mark.parametrize("label", [0, 7, 2**63 - 1])
def test_a_table_keeps_its_labels_and_others_take_what_is_free(label):
    query, gallery = table((label, "cat"), (3, "dog")), table((3, "cat"), (label, "owl"), (5, "ox"))
    (same,), names = with_common_labels([query])
    assert same.labels.tolist() == [label, 3] and names == {label: "cat", 3: "dog"}
    both, names = with_common_labels([query, gallery])
    new = 1 if label == 0 else 0
    assert both[0].labels.tolist() == [label, 3] and both[1].labels.tolist() == [label, new, 5]
    assert names == {label: "cat", 3: "dog", new: "owl", 5: "ox"}
