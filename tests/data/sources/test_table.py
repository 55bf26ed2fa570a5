"""A table of images: formats, columns, splits, and what is refused."""

import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from PIL import Image

from tests.helpers.made_sets import make_folder
from tests.helpers.table_files import NAMES, ROWS, source, write
from tests.helpers.tables import pixels
from triplet_train.config import DataConfig
from triplet_train.config.loading import make_data_config
from triplet_train.data.batches import PKBatches
from triplet_train.data.source import open_source
from triplet_train.data.unsplit_folder import unsplit_images
from triplet_train.errors import RequestError, RunError

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")


@pytest.fixture
def photos(tmp_path):
    return make_folder(tmp_path, [path for path, _, _ in ROWS])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_table_gives_the_batches_that_the_same_images_in_folders_give(photos, suffix):
    table = source(write(photos / f"items{suffix}"))
    folder = open_source(DataConfig(dataset="image_folder", path=str(photos), image_size=(8, 8)))
    assert list(table.classes) == list(folder.classes) == ["ant", "bee", "cat"]
    for split in ("train", "test", "train[:50%]", "train[50%:]"):
        one, other = table.table(split), folder.table(split)
        assert (one.ids, one.class_names) == (other.ids, other.class_names)
        np.testing.assert_array_equal(one.labels, other.labels)
        np.testing.assert_array_equal(pixels(one), pixels(other))
        assert one.fingerprint() == other.fingerprint()
    rows = [
        PKBatches(each.table("train").labels, classes=2, per_class=2, seed=3).rows(5)
        for each in (table, folder)
    ]
    np.testing.assert_array_equal(*rows)


def test_the_order_of_the_rows_of_a_table_does_not_matter(photos):
    before = source(write(photos / "items.csv")).table(":")
    after = source(write(photos / "items.csv", ROWS[::-1])).table(":")
    assert before.ids == after.ids == sorted(before.ids)
    np.testing.assert_array_equal(before.labels, after.labels)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_labels_may_be_integers_and_columns_have_other_names(photos, suffix):
    rows = [
        (f"../{photos.name}/{path}", {"ant": 9, "bee": 10, "cat": -1}[c]) for path, c, _ in ROWS
    ]
    file = write(photos / f"items{suffix}", rows, ("file name", "sku"))
    columns = {"path": "file name", "label": "sku"}
    whole = source(file, columns=columns, train_split=":", eval_split=":").table(":")
    names = {"ant": "9", "bee": "10", "cat": "-1"}
    found = [whole.class_names[label] for label in whole.labels.tolist()]
    assert found == [names[path.split("/")[-2]] for path in whole.ids]
    assert pixels(whole).shape == (7, 8, 8, 3)


def test_labels_in_a_text_file_are_classes_as_they_are_written(photos):
    paths = [path for path, _, _ in ROWS[:4]]
    labels = ["0002", "NA", "true", "2024-05-01"]
    for suffix in (".csv", ".jsonl"):
        file = write(photos / f"items{suffix}", list(zip(paths, labels, strict=True)), NAMES[:2])
        found = source(file, train_split=":", eval_split=":")
        assert set(found.classes) == set(labels)


def test_a_table_from_a_spreadsheet_is_read_as_text_in_the_usual_forms(photos):
    """A byte-order mark, line ends of Windows, empty lines, and quotes around a line end."""
    header, row = "\ufeffnote,path,label\r\n\r\n", '"two\r\nlines",train/ant/2.png,ant\r\n'
    text = f"{header}{row},train/bee/1.png,bee\r\n"
    (photos / "items.csv").write_bytes(text.encode())
    assert source(photos / "items.csv", train_split=":", eval_split=":").count(":") == 2
    (photos / "items.csv").write_bytes(text.encode() + b",gone.png,bee\r\n")
    with pytest.raises(RequestError, match=r"line 6: .*gone\.png"):
        source(photos / "items.csv", train_split=":", eval_split=":").table(":")


def test_categories_and_missing_splits_of_a_parquet_file_are_read(photos):
    columns = [pa.array([row[at] for row in ROWS]).dictionary_encode() for at in range(3)]
    columns[2] = pa.array([None, *(row[2] for row in ROWS[1:])])
    pyarrow.parquet.write_table(pa.table(columns, names=list(NAMES)), photos / "items.parquet")
    found = source(photos / "items.parquet")
    assert found.count("train") == 3 and found.count(":") == 7
    assert found.table("train").notes == (f"1 rows of {photos}/items.parquet belong to no split",)


def test_paths_start_from_data_root_or_the_folder_of_the_table_or_are_absolute(photos, tmp_path):
    (tmp_path / "lists").mkdir()
    rows = [(str(photos / ROWS[0][0]), *ROWS[0][1:]), *ROWS[1:]]
    file = write(tmp_path / "lists/items.csv", rows)
    table = source(file, root=str(photos)).table("train")
    assert str(photos / ROWS[0][0]) in table.ids and len(pixels(table)) == 4
    with pytest.raises(
        RequestError, match=r"3 rows have no such file in column 'path':\n  line 3: "
    ):
        source(file).table("train")


def test_shares_divide_a_table_without_splits(photos):
    file = write(photos / "items.csv", [row[:2] for row in ROWS], NAMES[:2])
    found = source(file, train_split="50%", eval_split="-50%")
    parts = found.table("50%").ids, found.table("-50%").ids
    assert sorted([*parts[0], *parts[1]]) == found.table(":").ids
    with pytest.raises(RequestError, match=r"no column 'split' .*only path, label\. .*90%"):
        found.table("train")


def test_an_image_that_is_named_again_is_used_once_and_said(photos):
    table = source(write(photos / "items.csv", [*ROWS, ROWS[0]])).table("train")
    assert len(table) == 4
    assert table.notes == (
        f"left out: 1 rows of train of {photos}/items.csv that name an image again",
    )


def test_files_in_two_classes_are_named(photos):
    (photos / "train/bee/1.png").write_bytes((photos / "train/ant/2.png").read_bytes())
    (line,) = source(write(photos / "items.csv")).in_two_classes(["train"])
    assert line.endswith("train/ant/2.png = train/bee/1.png")


def changed(row, column, value):
    rows = [list(each) for each in ROWS]
    rows[row][column] = value
    return rows


@pytest.mark.parametrize(
    ("rows", "names", "options", "message"),
    [
        (changed(2, 1, ""), NAMES, {}, "1 rows have nothing in column 'label': line 4$"),
        (changed(2, 1, " "), NAMES, {}, "1 rows have nothing in column 'label': line 4$"),
        (changed(6, 0, ""), NAMES, {}, "1 rows have nothing in column 'path': line 8$"),
        (
            [*ROWS, (ROWS[1][0], "bee", "train")],
            NAMES,
            {},
            "line 3 and line 9: 'train/ant/2.png' has two labels in column 'label': 'ant' and "
            "'bee'",
        ),
        (changed(0, 0, "train/gone.png"), NAMES, {}, r"line 2: .*/train/gone\.png"),
        (changed(0, 0, "nowhere/1.png"), NAMES, {}, r"line 2: .*/nowhere/1\.png"),
        (
            ROWS,
            ("path", "labels", "split"),
            {},
            "line 1: no column 'label', which data.columns.label names; it has path, labels, "
            "split; did you mean 'labels'",
        ),
        (ROWS, NAMES, {"columns": {"split": "fold"}}, "; set data.columns.split to"),
        (ROWS, ("path", "label", "label"), {}, "2 columns are named 'label'"),
        (ROWS, NAMES, {"train_split": "val"}, "no image of split 'val' .*; it has test, train"),
        (ROWS, NAMES, {"image_size": None}, "data.image_size"),
        ([*ROWS, ("a", "b")], NAMES, {}, "cannot be read: line 9 has 2 columns instead of 3"),
        ([], NAMES, {}, "no image of split 'train'.*none"),
    ],
)
def test_a_mistake_in_a_table_is_refused_with_its_line_and_column(
    photos, rows, names, options, message
):
    file = write(photos / "items.csv", rows, names)
    with pytest.raises(RequestError, match=f"(?s){message}") as error:
        found = source(file, **options)
        found.table(found.data.train_split)
    assert str(file) in str(error.value) or "image_size" in message


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_lines_and_rows_of_other_formats_are_counted_as_an_editor_shows_them(photos, suffix):
    file = write(photos / f"items{suffix}", changed(2, 1, ""))
    with pytest.raises(RequestError, match=r"(line 3|row 3)$"):
        source(file)
    pairs = [(path, number / 2) for number, (path, _, _) in enumerate(ROWS)]
    with pytest.raises(RequestError, match="'label' holds double; expected text or integers"):
        source(write(file, pairs, NAMES[:2]))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("items.txt", b"", r"ends in \.csv, \.tsv, \.jsonl or \.parquet"),
        ("gone.csv", None, "no such file"),
        ("items.csv", b"", "cannot be read: Empty CSV file"),
        ("items.csv", b"path;label\na;b\n", "no column 'path'.*commas separate the columns"),
        ("items.csv", "path,label\né,a\n".encode("latin-1"), "cannot be read: .*UTF8"),
        ("items.jsonl", b"{", "cannot be read: "),
        ("items.parquet", b"PAR1", "cannot be read: "),
    ],
)
def test_what_is_not_a_table_is_refused(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(RequestError, match=message):
        source(tmp_path / name)


def test_a_table_of_which_nothing_is_decoded_is_known_before_its_files_are_opened(photos):
    for path, _, _ in ROWS:
        (photos / path).write_bytes(b"")
    assert source(write(photos / "items.csv")).table("train").labels.tolist() == [0, 0, 1, 1]


REID = [
    *(f"{n:04}_c{camera}s1_{n}.png" for n in (2, 7) for camera in (1, 2)),
    "-1_c1s1_3.png",
    "cover.png",
]
PATTERN = r"(?P<label>-?\d+)_c(?P<group>\d+)"


@pytest.mark.parametrize("kind", ["table", "image_folder"])
def test_a_pattern_reads_labels_from_paths_and_junk_is_ignored(tmp_path, kind):
    """Files as Market-1501 has them, without folders of classes."""
    paths = [f"{split}/{name}" for split in ("bounding_box_train", "query") for name in REID]
    make_folder(tmp_path, paths)
    place = tmp_path
    if kind == "table":
        rows = [(path, path.split("/")[0]) for path in paths]
        place = write(tmp_path / "items.csv", rows, ("path", "split"))
    data = make_data_config(
        dataset=kind,
        path=str(place),
        image_size=(8, 8),
        train_split="bounding_box_train",
        eval_split="query",
        label_pattern=PATTERN,
        junk_labels=[-1],
    )
    found = open_source(data)
    assert list(found.classes) == ["0002", "0007"]
    table = found.table("query")
    assert table.ids == sorted(f"query/{name}" for name in REID[:4])
    assert table.labels.tolist() == [0, 0, 1, 1]
    part = f"query of {place}" if kind == "table" else tmp_path / "query"
    assert table.notes == (
        f"left out: 1 images of data.junk_labels in {part}: -1 (1)",
        f"left out: 1 images in {part} whose paths data.label_pattern does not match: "
        "query/cover.png",
    )


def test_a_table_to_embed_needs_no_labels_and_lists_what_it_cannot_read(photos):
    file = write(photos / "items.csv", [(path,) for path, _, _ in [*ROWS, ROWS[0]]], ("path",))
    images = unsplit_images(file, (8, 8, 3), "pad")
    assert images.ids == sorted({path for path, _, _ in ROWS})
    assert set(images.labels.tolist()) == {-1}
    write(file, [*ROWS, ("gone.png", "", "")])
    images = unsplit_images(file, (8, 8, 3), "pad")
    batches = list(images.batches(3))
    assert sum(map(len, batches)) == 7 and images.class_names == {
        0: "ant",
        1: "bee",
        2: "cat",
        -1: "",
    }
    (line,) = images.unreadable
    assert line.startswith(f"{file}, line 9, path: {photos}/gone.png: ")
    folder = unsplit_images(photos / "train", (8, 8, 3), "pad")
    assert len(folder) == 4 and folder.class_names[0] == "ant"
    for wrong in (
        write(file, [], ("path",)),
        photos / "gone.csv",
        write(file, ROWS, ("a", "b", "c")),
    ):
        with pytest.raises(RequestError, match=r"--images|no column 'path'"):
            unsplit_images(wrong, (8, 8, 3), "pad")


def test_the_pattern_of_a_run_labels_images_to_embed(tmp_path):
    data = DataConfig(dataset="image_folder", path="x", label_pattern=PATTERN, junk_labels=["-1"])
    make_folder(tmp_path, REID)
    file = write(tmp_path / "items.csv", [(name,) for name in REID], ("path",))
    for place in (tmp_path, file):
        images = unsplit_images(place, (8, 8, 3), "pad", data=data)
        names = [images.class_names[label] for label in images.labels.tolist()]
        assert names == ["0002", "0002", "0007", "0007", ""]
        assert f"left out: 1 images of data.junk_labels in {place}: -1 (1)" in images.notes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dataset": "digits", "columns": {"path": "x"}}, "is for dataset: table only"),
        ({"dataset": "image_folder", "path": "x", "root": "x"}, "is for dataset: table only"),
        ({"dataset": "digits", "junk_labels": ["x"]}, "is for dataset: image_folder or table only"),
        (
            {"dataset": "digits", "roles": {"test": "query"}},
            "is for dataset: image_folder or table",
        ),
        ({"dataset": "table", "path": "x", "group_key": "a"}, "is for TFDS data sets only"),
        ({"dataset": "table", "path": "x", "roles": {"a": "b"}}, "data.roles.a: must be one of"),
        (
            {"dataset": "table", "path": "x", "junk_labels": [0], "distractor_labels": ["0"]},
            "must not contain '0', which is in junk_labels",
        ),
        ({"dataset": "digits", "label_pattern": "(?P<label>.)"}, "is for dataset: image_folder or"),
        ({"dataset": "table", "path": "x", "label_pattern": "("}, "is not a regular expression"),
        ({"dataset": "table", "path": "x", "label_pattern": "."}, "has no group named label"),
        ({"dataset": "table"}, r"needs data\.path: a \.csv"),
        (
            {"dataset": "table", "path": "x", "columns": {"labels": "x"}},
            r"mean data\.columns\.label",
        ),
    ],
)
def test_a_key_that_is_not_for_the_data_set_is_refused(options, message):
    with pytest.raises(RequestError, match=message):
        make_data_config(**options)


def test_a_file_is_looked_for_only_when_its_split_is_used_and_each_folder_listed_once(
    photos, monkeypatch
):
    found = source(write(photos / "items.csv"))
    listed, listdir = [], os.listdir
    monkeypatch.setattr(os, "listdir", lambda folder: listed.append(folder) or listdir(folder))
    found.table("train")
    assert sorted(map(str, listed)) == [f"{photos}/train/ant", f"{photos}/train/bee"]


def test_images_of_any_size_are_resized(tmp_path):
    make_folder(tmp_path, ["a/1.png", "a/2.png"], (30, 17))
    Image.fromarray(np.zeros((5, 9), np.uint8)).save(tmp_path / "a/3.png")
    file = write(tmp_path / "x.csv", [(f"a/{n}.png", "a") for n in (1, 2, 3)], NAMES[:2])
    table = source(file, image_size=(12, 16), channels=1, train_split=":", eval_split=":").table(
        ":"
    )
    assert pixels(table).shape == (3, 12, 16, 1) and table.size_of(2)[:2] == (5, 9)


def test_the_table_of_the_run_itself_keeps_its_root_and_another_starts_from_its_own_folder(
    tmp_path,
):
    lists, photos = tmp_path / "lists", tmp_path / "photos"
    lists.mkdir()
    photos.mkdir()
    Image.new("RGB", (8, 8)).save(photos / "1.png")
    for name in ("own.csv", "other.csv"):
        (lists / name).write_text("path,label\n1.png,a\n")
    own = lists / "own.csv"
    data = DataConfig(dataset="table", path=str(own), root=str(photos), image_size=(8, 8))
    assert unsplit_images(own, (8, 8, 3), "pad", data=data).read(np.array([0])).shape[0] == 1
    with pytest.raises(RunError, match=r"lists/1\.png"):
        unsplit_images(lists / "other.csv", (8, 8, 3), "pad", data=data).read(np.array([0]))
