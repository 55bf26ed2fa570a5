"""Evaluated tables: images, roles, groups and classes of two files."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from triplet_train.embeddings.table import EmbeddingTable
from triplet_train.errors import RequestError
from triplet_train.evaluation.as_json import as_json
from triplet_train.evaluation.tables import evaluate_tables
from triplet_train.evaluation.text import coverage_lines


def table(places, names, groups=None, roles=None):
    """Vectors on a line; a class without a name is no class."""
    columns = {"group": groups, "role": roles}
    known = sorted({name for name in names if name})
    return EmbeddingTable(
        np.array(places, np.float32)[:, np.newaxis],
        np.array([known.index(name) if name else -1 for name in names]),
        list(names),
        [f"row {n}" for n in range(len(names))],
        {},
        columns={name: pa.array(values) for name, values in columns.items() if values},
    )


def test_indices_are_those_of_all_rows_of_the_table_with_a_label_or_without():
    made = table([9, 0, 1, 5, 6], ["", "a", "a", "b", "b"])
    found = evaluate_tables({}, made, images="the images")
    assert found.images == "the images" and len(found.queries.ids) == 5
    assert found.result.query_indices.tolist() == [1, 2, 3, 4]
    assert found.result.neighbours[:, 0].tolist() == [2, 1, 4, 3]
    assert found.result.coverage.rows_without_label == 1
    assert 0 not in found.result.neighbours


def test_an_image_without_a_label_is_a_negative_if_its_role_is_gallery():
    names, places = ["a", "a", ""], [0, 2, 1]
    alone = evaluate_tables({}, table(places, names))
    assert alone.result.metrics["recall_at_1"] == 1
    assert alone.result.coverage.rows_without_label == 1
    found = evaluate_tables({}, table(places, names, roles=["both", "both", "gallery"]))
    assert found.result.metrics["recall_at_1"] == 0 and found.result.metrics["mrr"] == 0.5
    assert found.result.coverage.distractors == 1
    assert as_json(found)["confusions"][0]["mistaken_for_name"] == "(no label)"
    assert coverage_lines(found) == [
        "2 queries of 1 class, each searching the 3 images of the gallery",
        "images of the gallery without a label, negatives of every query: 1",
    ]


def test_groups_are_matched_by_name_and_classes_too():
    queries = table([0], ["b"], groups=["camera 2"])
    gallery = table([0.1, 0.2, 3], ["b", "a", "b"], groups=["camera 2", "camera 1", ""])
    found = evaluate_tables({}, queries, gallery)
    assert found.result.metrics["mrr"] == 0.5
    assert found.result.neighbours.tolist() == [[1, 2]]
    assert coverage_lines(found) == [
        "1 query of 1 class, each searching the 3 images of the gallery",
        "pairs ignored, being of one class and group: 1",
    ]


def test_roles_hold_within_each_of_two_files():
    queries = table([0, 1], ["a", "b"], roles=["query", "gallery"])
    gallery = table([0, 1, 5], ["a", "b", "a"], roles=["query", "both", "gallery"])
    found = evaluate_tables({}, queries, gallery)
    assert found.result.query_indices.tolist() == [0]
    assert found.result.neighbours.tolist() == [[1, 2]]
    assert coverage_lines(found) == [
        "1 query of 1 class, each searching the 2 images of the gallery",
        "left out by their role: 2",
    ]


def test_queries_and_gallery_of_one_table_are_searched_by_their_roles():
    made = table([0, 1, 2, 3], "aaab", roles=["query", "gallery", "both", "both"])
    found = evaluate_tables({}, made)
    assert found.result.query_indices.tolist() == [0, 2]
    assert found.result.neighbours.tolist() == [[1, 2, 3], [3, 1, -1]]
    assert found.result.neighbour_labels.tolist() == [[0, 0, 1], [1, 0, -1]]
    assert coverage_lines(found)[1:] == [
        "left out, with no image in the gallery of their class to find: 1 query of 1 class (b)"
    ]


def test_queries_whose_class_is_in_their_own_group_only_are_left_out_and_counted():
    names, groups = ["a", "a", "b", "b"], ["x", "x", "x", ""]
    found = evaluate_tables({}, table([0, 1, 2, 3], names, groups))
    assert found.result.query_indices.tolist() == [2, 3]
    assert coverage_lines(found)[1:] == [
        "pairs ignored, being of one class and group: 2",
        "queries left out, whose class has no image outside their group: 2",
    ]
    with pytest.raises(RequestError, match="all other images of the queries' classes are in the q"):
        evaluate_tables({"queries_file": "x.npz"}, table([0, 1], ["a", "a"], ["x", "x"]))


def test_an_unknown_role_is_refused():
    made = table([0, 1], ["a", "a"], roles=["query", "galery"])
    with pytest.raises(RequestError, match="the role of an image is 'galery'; roles are"):
        evaluate_tables({"queries_file": "x.npz"}, made)


def test_a_file_without_labels_is_refused_by_its_name():
    made = table([0, 1], ["a", "a"])
    unlabelled = replace(made, labels=np.array([-1, -1]), label_names=["", ""])
    with pytest.raises(RequestError, match="no image has a label"):
        evaluate_tables({"queries_file": "q", "gallery_file": "g.npz"}, made, unlabelled)
