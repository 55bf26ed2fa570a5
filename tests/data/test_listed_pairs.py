"""Tables of pairs: their columns, and every mistake in them with its line."""

import numpy as np
import pytest

from tests.helpers.table_files import write
from triplet_train.data import listed_pairs
from triplet_train.data.listed_pairs import read_pairs
from triplet_train.errors import RequestError

NAMES = ("id_a", "id_b", "same", "fold")
ROWS = [
    ("a/1", "a/2", 1, "x"),
    ("a/1", "b/1", 0, "x"),
    ("b/1", "b/2", 1, "y"),
    ("c", "a/1", 0, "y"),
]
IDS = ["b/2", "b/1", "a/1", "c", "a/2", "unused"]


def read(tmp_path, rows=ROWS, names=NAMES, suffix="csv"):
    return read_pairs(write(tmp_path / f"pairs.{suffix}", rows, names), "--pairs")


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_pairs_are_read_from_every_format(tmp_path, suffix):
    listed = read(tmp_path, suffix=suffix)
    rows = [[IDS[row] for row in listed.rows_in(side, IDS, "x")] for side in (0, 1)]
    assert rows == [[row[0] for row in ROWS], [row[1] for row in ROWS]]
    assert listed.same.tolist() == [True, False, True, False]
    assert listed.folds == ["x", "x", "y", "y"]
    assert listed.repeated(ordered=False) == 0


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("kinds", [(1, 0), (True, False), (1.0, 0.0), ("TRUE", " false")])
def test_the_kind_is_a_number_or_a_truth_value(tmp_path, suffix, kinds):
    rows = [(*row[:2], kinds[at % 2]) for at, row in enumerate(ROWS)]
    listed = read(tmp_path, rows, NAMES[:3], suffix)
    assert listed.same.tolist() == [True, False, True, False] and listed.folds is None


def test_columns_have_the_names_that_such_tables_have(tmp_path):
    listed = read(tmp_path, ROWS, ("image1", "image2", "label", "number"))
    assert listed.columns == ("image1", "image2") and listed.kind_column == "label"
    assert listed.folds is None


@pytest.mark.parametrize(
    ("rows", "names", "message"),
    [
        (
            ROWS,
            ("id_a", "b", "same", "fold"),
            "line 1: no column 'id_b'; --pairs needs the columns",
        ),
        (
            [("a", "b", "maybe", 1)],
            NAMES,
            "1 rows have neither 1 nor 0, such as 'maybe', in column",
        ),
        ([("a", "b", "", 1)], NAMES, "neither 1 nor 0, such as '', in column 'same': line 2"),
        ([*ROWS, ("", "a", 1, 1)], NAMES, "1 rows have nothing in column 'id_a': line 6"),
        ([*ROWS, ("a", "b", 1, " ")], NAMES, "1 rows have nothing in column 'fold': line 6"),
        ([], NAMES, "it lists no pairs"),
    ],
)
def test_a_table_that_is_wrong_is_refused_with_its_lines(tmp_path, rows, names, message):
    with pytest.raises(RequestError, match=message):
        read(tmp_path, rows, names)


def test_unknown_ids_are_counted_with_their_lines_and_the_nearest(tmp_path):
    listed = read(tmp_path, [*ROWS, ("b/3", "c", 0, "y"), ("a1", "c", 0, "y")])
    message = (
        "2 rows have an id that is not in x.npz, such as 'b/3'; did you mean 'b/2'?, in column"
    )
    with pytest.raises(RequestError) as error:
        listed.rows_in(0, IDS, "x.npz")
    assert message in str(error.value) and str(error.value).endswith("'id_a': line 6, line 7")
    listed.rows_in(1, IDS, "x.npz")


@pytest.mark.parametrize("most", [20_000, 100])
def test_the_nearest_of_many_ids_is_found(tmp_path, monkeypatch, most):
    monkeypatch.setattr(listed_pairs, "_MOST_COMPARED", most)
    ids = [f"{name}/{number:03d}.jpg" for name in ("ann", "bob", "eve") for number in range(200)]
    for id_, near in (
        ("bob/123.png", "bob/123.jpg"),
        ("photos/bob/023.jpg", "bob/023.jpg"),
        ("?", None),
    ):
        listed = read(tmp_path, [(id_, "c", 0, "y")])
        hint = f"; did you mean {near!r}?" if near else ""
        with pytest.raises(RequestError) as error:
            listed.rows_in(0, ids, "x.npz")
        assert f"such as {id_!r}{hint}, in column 'id_a': line 2" in str(error.value)


def test_an_image_with_itself_is_refused(tmp_path):
    listed = read(tmp_path, [*ROWS, ("c", "c", 1, "y")])
    with pytest.raises(RequestError, match="an image with itself, in column 'id_b': line 6"):
        listed.refuse_images_with_themselves()


def test_pairs_listed_twice_are_counted_in_either_order(tmp_path):
    listed = read(tmp_path, [*ROWS, ("a/2", "a/1", 1, "y"), ROWS[1]])
    assert (listed.repeated(ordered=False), listed.repeated(ordered=True)) == (2, 1)


def test_a_pair_that_is_same_and_different_is_refused_with_both_lines(tmp_path):
    rows = [*ROWS, ("a/2", "a/1", 0, "y"), ("b/2", "b/1", 0, "y"), ("b/2", "b/1", 0, "y")]
    listed = read(tmp_path, rows)
    with pytest.raises(RequestError) as error:
        listed.repeated(ordered=False)
    assert str(error.value).endswith(
        "pairs.csv, line 2 and line 6: 'a/2' and 'a/1' are the same in one and different in the "
        "other; so are 2 other rows"
    )
    assert listed.repeated(ordered=True) == 1


def test_the_places_of_ids_are_those_of_a_loop(tmp_path):
    rng = np.random.default_rng(0)
    ids = [f"{number:03d}" for number in rng.permutation(200)]
    rows = [(*rng.choice(ids, 2).tolist(), int(rng.integers(2))) for _ in range(300)]
    listed = read(tmp_path, rows, NAMES[:3])
    for side in (0, 1):
        assert listed.rows_in(side, ids, "x").tolist() == [ids.index(row[side]) for row in rows]
