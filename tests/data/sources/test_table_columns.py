"""Roles, groups, boxes and further columns of a table of images."""

import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from PIL import Image

from tests.helpers.made_sets import make_folder, picture
from tests.helpers.table_files import ROWS, source, write
from tests.helpers.tables import pixels
from triplet_train.data.summary import summary
from triplet_train.data.unsplit_folder import unsplit_images
from triplet_train.errors import RequestError, RunError

WHOLE = {"train_split": ":", "eval_split": ":"}
SHEET = ("sheet.png", 40, 60)  # name, height, width


@pytest.fixture
def photos(tmp_path):
    return make_folder(tmp_path, [path for path, _, _ in ROWS])


@pytest.fixture
def sheet(tmp_path):
    """One photograph of several items: uint8 [40, 60, 3]."""
    name, *size = SHEET
    image = picture(0, *size)
    Image.fromarray(image).save(tmp_path / name)
    return image


def columns(table):
    return {name: values.to_pylist() for name, values in table.columns.items()}


def items(tmp_path, boxes, labels="ab", names=("x0", "y0", "x1", "y1")):
    """A table of parts of the sheet."""
    rows = [(SHEET[0], label, *box) for label, box in zip(labels, boxes, strict=True)]
    return write(tmp_path / "items.csv", rows, ("path", "label", *names))


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_roles_and_groups_follow_their_images(photos, suffix):
    roles = ["query", "", "gallery", "both", "", "query", "gallery"]
    rows = [(*row, role, camera) for row, role, camera in zip(ROWS, roles, range(7), strict=True)]
    file = write(photos / f"items{suffix}", rows, ("path", "label", "split", "role", "camera"))
    found = source(file, columns={"group": "camera"})
    train, test = found.table("train"), found.table("test")
    assert train.ids == [f"train/{name}.png" for name in ("ant/2", "ant/4", "bee/1", "bee/3")]
    assert columns(train) == {
        "group": ["1", "3", "0", "2"],
        "role": [*["both"] * 2, *roles[::2][:2]],
    }
    assert columns(test) == {"group": ["4", "5", "6"], "role": ["both", "query", "gallery"]}
    assert "2 queries, 2 in the gallery, 3 groups" in summary(test, found.data, False)
    assert columns(source(file).table("test")) == {
        "role": columns(test)["role"],
        "camera": [4, 5, 6],
    }


@pytest.mark.parametrize("true", ["True", "true", "1", "1.0"])
def test_roles_may_be_two_booleans_as_in_open_metric_learning(photos, true):
    false = {"True": "False", "true": "false", "1": "0", "1.0": "0.0"}[true]
    pairs = [("", "")] * 4 + [(true, true), (true, false), (false, true)]
    rows = [(*row, *pair) for row, pair in zip(ROWS, pairs, strict=True)]
    names = ("path", "label", "split", "is_query", "is_gallery")
    table = source(write(photos / "items.csv", rows, names)).table("test")
    assert columns(table) == {"role": ["both", "query", "gallery"]}
    assert columns(source(photos / "items.csv").table("train")) == {}
    with pytest.raises(RequestError, match="no column 'is_gallery'"):
        source(write(photos / "items.csv", [row[:4] for row in rows], names[:4]))
    wrong = [*rows[:-1], (*ROWS[-1], false, false)]
    with pytest.raises(RequestError, match=r"1 rows have false .* in column 'is_gallery': line 8"):
        source(write(photos / "items.csv", wrong, names))


def test_booleans_of_a_parquet_file_are_roles(photos):
    table = {name: [row[at] for row in ROWS] for at, name in enumerate(("path", "label", "split"))}
    table |= {"is_query": [True] * 7, "is_gallery": [False, None] + [True] * 5}
    pyarrow.parquet.write_table(pa.table(table), photos / "items.parquet")
    train = source(photos / "items.parquet").table("train")
    assert columns(train)["role"] == ["query", "both", "query", "both"]


@pytest.mark.parametrize("scale", [1, (60, 40, 60, 40)], ids=["pixels", "fractions"])
def test_a_photograph_holds_several_items_each_cut_before_resizing(tmp_path, sheet, scale):
    boxes = [(0, 0, 60, 40), (9, 10, 17, 18), (20, 4, 28, 12), (20, 4, 28, 20)]
    shown = [np.divide(box, scale).tolist() for box in boxes]
    file = items(tmp_path, shown, "abba")
    table = source(file, image_size=(8, 8), **WHOLE).table(":")
    marks = [",".join(f"{number:.10g}" for number in box) for box in shown]
    assert table.ids == [f"sheet.png#{mark}" for mark in marks]
    assert [table.class_names[label] for label in table.labels.tolist()] == list("abba")
    for at, (left, top, right, bottom) in enumerate(boxes[1:3], 1):
        np.testing.assert_array_equal(table.read(np.array([at]))[0], sheet[top:bottom, left:right])
    cut = Image.fromarray(sheet[4:20, 20:28]).resize((8, 8), Image.Resampling.BILINEAR)
    stretched = source(file, image_size=(8, 8), resize_policy="resize", **WHOLE).table(":")
    np.testing.assert_array_equal(pixels(stretched)[3], np.asarray(cut))
    assert table.size_of(3)[:2] == (16, 8)
    unit = "pixels" if scale == 1 else "fractions of the images"
    assert table.notes == (f"images are cut to the boxes in columns x0, y0, x1, y1, in {unit}",)
    assert source(file, **WHOLE).in_two_classes([":"]) == []


def test_an_image_without_a_box_is_shown_whole_and_boxes_can_be_switched_off(tmp_path, sheet):
    file = items(tmp_path, [("", "", "", ""), (0, 0, 8, 8)], names=("x_1", "y_1", "x_2", "y_2"))
    table = source(file, image_size=(40, 60), **WHOLE).table(":")
    assert sorted(table.ids) == ["sheet.png", "sheet.png#0,0,8,8"]
    np.testing.assert_array_equal(pixels(table)[table.ids.index("sheet.png")], sheet)
    with pytest.raises(RequestError, match=r"'sheet.png' has two labels .*data\.columns\.box$"):
        source(file, columns={"box": []}, **WHOLE)
    columns_ = {"box": ["x_1", "y_1", "x_2", "x_2"]}
    with pytest.raises(ValueError, match="must be four columns"):
        source(file, columns=columns_, **WHOLE)
    with pytest.raises(RequestError, match=r"no column 'x0', which data.columns.box names"):
        source(file, columns={"box": ["x0", "y_1", "x_2", "y_2"]}, **WHOLE)


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((-1, 0, 8, 8), "1 rows have a negative number in column 'x0': line 3$"),
        ((8, 0, 8, 8), r"1 rows have no larger number than 'x0', .* in column 'x1': line 3$"),
        ((0, 9, 8, 8), r"1 rows have no larger number than 'y0', .* in column 'y1': line 3$"),
        ((0, 0, 8, ""), "1 rows have nothing, but other .* in column 'y1': line 3$"),
        ((0, "top", 8, 8), "1 rows have no number in column 'y0': line 3$"),
        ((0, 0, "inf", 8), "1 rows have no number in column 'x1': line 3$"),
        (
            (0.1, 0.1, 0.9, 1),
            r"1 rows have a fraction, while line 2 has pixels \(8\), in column 'x1': line 3$",
        ),
    ],
)
def test_a_box_that_cannot_be_is_refused_with_its_line_and_column(tmp_path, box, message):
    file = items(tmp_path, [(0, 0, 8, 8), box])
    with pytest.raises(RequestError, match=f"^{file}: {message}"):
        source(file, **WHOLE)


def test_a_box_outside_its_image_is_named_when_it_is_looked_at_and_when_it_is_read(tmp_path, sheet):
    file = items(tmp_path, [(0, 0, 8, 8), (50, 0, 61, 8)])
    table = source(file, **WHOLE).table(":")
    message = (
        rf"{file}, line 3, path, x0, y0, x1, y1: {tmp_path}/sheet\.png: box 50,0,61,8 lies outside "
        "the image of 60 x 40"
    )
    assert len(table.read(np.array([0]))) == 1
    for read in (lambda: pixels(table), lambda: table.size_of(1)):
        with pytest.raises(RunError, match=message):
            read()
    (line,) = (
        line for line in summary(table, source(file, **WHOLE).data, False) if "box 5" in line
    )
    assert line.startswith(f"cannot be read: {file}, line 3, path, x0, y0, x1, y1: ")


def test_an_item_that_is_named_again_needs_the_same_label_group_and_role(tmp_path, sheet):
    names = ("path", "label", "role", "group", "x0", "y0", "x1", "y1")
    rows = [(SHEET[0], "a", "query", "1", 0, 0, 8, 8), (SHEET[0], "b", "", "2", 0, 0, 8, 9)]
    file = tmp_path / "items.csv"
    again = source(write(file, [*rows, rows[0]], names), **WHOLE).table(":")
    assert len(again) == 2 and "1 rows of" in again.notes[0]
    for at, value, message in (
        (1, "b", "has two labels in column 'label': 'a' and 'b'"),
        (2, "gallery", "has two roles in column 'role': 'query' and 'gallery'"),
        (3, "2", "has two groups in column 'group': '1' and '2'"),
    ):
        other = [*rows[0][:at], value, *rows[0][at + 1 :]]
        with pytest.raises(
            RequestError, match=rf"line 2 and line 4: 'sheet.png#0,0,8,8' {message}"
        ):
            source(write(file, [*rows, other], names), **WHOLE)


def test_two_roles_of_an_image_in_one_split_are_noticed_with_another_split_between(photos):
    names, (path, label, split) = ("path", "label", "split", "role"), ROWS[4]
    rows = [(*row, "query") for row in ROWS] + [(path, label, "train", "both")]
    assert columns(source(write(photos / "items.csv", rows, names)).table("test"))
    rows.append((path, label, split, "gallery"))
    with pytest.raises(RequestError, match=f"line 6 and line 10: '{path}' has two roles"):
        source(write(photos / "items.csv", rows, names))


def test_an_unknown_role_is_refused_with_its_line_and_column(photos):
    rows = [(*row, "querry" if row is ROWS[2] else "query") for row in ROWS]
    file = write(photos / "items.csv", rows, ("path", "label", "split", "role"))
    message = (
        f"^{file}: 1 rows have other words than query, gallery or both, such as 'querry', in "
        "column 'role': line 4$"
    )
    with pytest.raises(RequestError, match=message):
        source(file)


@pytest.mark.parametrize(("name", "kind"), [("roll", "role"), ("groups", "group"), ("price", None)])
def test_a_column_that_may_be_one_of_roles_or_groups_is_pointed_out(photos, name, kind):
    file = write(
        photos / "items.csv", [(*row, "") for row in ROWS], ("path", "label", "split", name)
    )
    notes = source(file).table("train").notes
    assert any(f"no column {kind!r}, but {name!r}" in note for note in notes) == bool(kind)


def test_further_columns_travel_in_their_types_under_names_that_files_can_have(photos):
    day = datetime.date(2026, 11, 27)
    names = ("path", "label", "split", "price", "stock", "day", "id", "a/b", "")
    rows = [(*row, n / 2, n, day, n, "x", n) for n, row in enumerate(ROWS)]
    rows[5] = (*ROWS[5], "", "", "", 5, "y", 5)
    table = source(write(photos / "items.csv", rows, names)).table("test")
    assert {name: str(values.type) for name, values in table.columns.items()} == {
        **{"price": "double", "stock": "int64", "day": "date32[day]", "id_": "int64"},
        **{"a_b": "string", "unnamed": "int64"},
    }
    assert columns(table)["price"] == [2.0, None, 3.0] and columns(table)["day"] == [day, None, day]
    assert table.notes == (
        f"columns of {photos}/items.csv in embedding files: 'id' is 'id_', 'a/b' is 'a_b', "
        "'' is 'unnamed'",
    )


def test_a_table_to_embed_has_its_boxes_columns_and_distractors(tmp_path, sheet):
    names = ("path", "label", "sequence", "role", "note", "x0", "y0", "x1", "y1")
    rows = [(SHEET[0], name, "s", "query", name, 0, 0, 8, at) for at, name in enumerate("abz", 8)]
    file = write(tmp_path / "items.csv", rows, names)
    options = {"columns": {"group": "sequence"}, "distractor_labels": ["z"], **WHOLE}
    data = source(file, **options).data
    images = unsplit_images(file, (8, 8, 3), "pad", data=data)
    assert images.ids == [f"sheet.png#0,0,8,{at}" for at in (8, 9, 10)]
    assert columns(images) == {
        "group": ["s"] * 3,
        "role": ["query", "query", "gallery"],
        "note": list("abz"),
    }
    np.testing.assert_array_equal(images.read(np.array([0]))[0], sheet[:8, :8])
    trained = source(file, **options).table(":")
    assert (trained.ids, columns(trained)) == (images.ids, columns(images))
