"""A folder of images with one folder per class: files that are read, left out and refused."""

import os
import unicodedata

import numpy as np
import pytest
from PIL import Image

from tests.helpers.made_sets import make_folder
from tests.helpers.tables import pixels
from triplet_train.config import DataConfig
from triplet_train.data.caching import cached
from triplet_train.data.classes import evaluated_images, labels_of, training_images
from triplet_train.data.image_files import find_images
from triplet_train.data.sources.image_folder import FolderSource
from triplet_train.data.summary import summary
from triplet_train.data.unsplit_folder import unsplit_images
from triplet_train.errors import RequestError, RunError

SPLITS = [
    "train/bee/1.png",
    "train/bee/2.png",
    "train/ant/1.png",
    "test/bee/1.png",
    "test/cat/1.png",
]


def source(root, train_split="train", **options):
    options = {"image_size": (8, 8)} | options
    return FolderSource(
        DataConfig(dataset="image_folder", path=str(root), train_split=train_split, **options)
    )


@pytest.fixture
def splits(tmp_path):
    return make_folder(tmp_path, SPLITS)


@pytest.fixture
def shares(tmp_path):
    """Classes of 10, 7 and 1."""
    sizes = {"ant": 10, "bee": 7, "cat": 1}
    return make_folder(tmp_path, [f"{c}/{i}.png" for c, n in sizes.items() for i in range(n)])


def test_splits_are_folders_and_labels_are_those_of_all_of_them(splits):
    found = source(splits)
    train, test = found.table("train"), found.table("test")
    assert train.ids == ["train/ant/1.png", "train/bee/1.png", "train/bee/2.png"]
    assert train.labels.tolist() == [0, 1, 1] and test.labels.tolist() == [1, 2]
    assert train.class_names == test.class_names == {0: "ant", 1: "bee", 2: "cat"}
    assert found.name == str(splits) and found.count("train") == 3
    for image, id_ in zip(pixels(train), train.ids, strict=True):
        np.testing.assert_array_equal(image, np.asarray(Image.open(splits / id_)))


def test_shares_divide_every_class_and_together_are_all(shares):
    found = source(shares, "80%")
    first, second = found.table("80%"), found.table("-20%")
    assert np.bincount(first.labels).tolist() == [8, 6, 1]
    assert sorted([*first.ids, *second.ids]) == found.table(":").ids
    assert not set(first.ids) & set(second.ids)
    assert found.table("80%:").ids == second.ids
    assert [*found.table(":50%").ids] != sorted(found.table(":").ids)[:9]  # not the first by name
    middle = found.table("20%:80%").ids
    assert set(middle) | set(found.table("20%").ids) == set(first.ids)


def test_shares_depend_on_names_alone(shares):
    before = source(shares, "50%").table("50%").ids
    for path in sorted(shares.rglob("*.png"), reverse=True):
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content)
    assert source(shares, "50%").table("50%").ids == before


def test_a_share_of_a_split_folder_is_a_part_of_it(splits):
    found = source(splits)
    parts = [found.table(split).ids for split in ("train[:50%]", "train[50%:]")]
    assert sorted([*parts[0], *parts[1]]) == found.table("train").ids


def test_folders_in_the_folder_of_a_class_are_classes_of_their_own(tmp_path):
    make_folder(tmp_path, ["train/dog/1.png", "train/dog/puppy/1.png"])
    table = source(tmp_path).table("train")
    assert table.class_names == {0: "dog", 1: "dog/puppy"} and table.labels.tolist() == [0, 1]


def test_classes_that_are_numbers_are_in_their_order(tmp_path):
    make_folder(tmp_path, [f"train/{number}/1.png" for number in (0, 1, 2, 10, 11)])
    table = source(tmp_path).table("train")
    assert table.class_names == {0: "0", 1: "1", 2: "2", 3: "10", 4: "11"}
    assert labels_of([2, "10-11"], table.class_names, "") == {2, 3, 4}
    with pytest.raises(RequestError, match="numbered 0 to 11"):
        labels_of([3], table.class_names, "")


@pytest.mark.parametrize(
    ("split", "train_split", "culprit"),
    [
        ("train", "train", "no folder 'train'; it has ant, bee, cat.*train_split: 90%"),
        ("90%", "train", "'90%' does not go with"),
        ("train", "90%", "'train' does not go with"),
        ("90%:80%", "90%", "not a split of a folder"),
        ("train[:5]", "train", "not a split of a folder"),
        ("train[", "train", "not a split of a folder"),
        ("../x", "train", "not a split of a folder"),
        ("101%", "90%", "not a split of a folder"),
        ("1%", "90%", "is empty"),
    ],
)
def test_a_missing_split_is_refused(shares, split, train_split, culprit):
    with pytest.raises(RequestError, match=culprit):
        source(shares, train_split).table(split)


def test_classes_too_small_to_divide_are_held_out_whole_as_the_message_says(tmp_path):
    make_folder(tmp_path, [f"train/{c}/{i}.png" for c in ("ant", "bee", "cat") for i in (1, 2)])
    for root, split, whole in (
        (tmp_path, "train[90%:]", "train"),
        (tmp_path / "train", "-10%", ":"),
    ):
        advice = (
            rf"is empty: .*more than 2 images.*train_classes: 80% or .*, and '{whole}' for both"
        )
        with pytest.raises(RequestError, match=advice):
            source(root, split).table(split)
        for train, evaluated in (("80%", None), (None, ["cat"])):
            classes = {"train_classes": train, "eval_classes": evaluated}
            held_out = source(root, whole, eval_split=whole, **classes)
            table = held_out.table(whole)
            assert len(evaluated_images(table, held_out.data, seed=0)) == 2
            assert len(training_images(table, held_out.data, seed=0)) == 4


def test_a_folder_is_refused_where_it_or_its_images_are_missing(tmp_path):
    with pytest.raises(RequestError, match=r"data\.path: no such folder"):
        source(tmp_path / "nowhere")
    (tmp_path / "train/ant").mkdir(parents=True)
    with pytest.raises(RequestError, match="holds no image in a folder of its class"):
        source(tmp_path).table("train")
    with pytest.raises(RequestError, match=r"data\.image_size"):
        source(tmp_path, image_size=None)


def test_files_that_are_not_images_of_a_class_are_left_out_and_reported(splits):
    make_folder(splits, ["train/stray.png", "train/ant/.hidden.png", "train/.hidden/1.png"])
    (splits / "train/empty").mkdir()
    (splits / "train/ant/notes.txt").write_text("")
    (splits / "train/ant/no suffix").write_text("")
    (splits / "test/also empty").mkdir()
    table = source(splits).table("train")
    assert len(table) == 3
    assert [note.removeprefix("left out: ") for note in table.notes] == [
        f"1 images outside the folders of classes in {splits}/train",
        f"1 class folders without images in {splits}/train: empty",
        f"2 files in {splits}/train whose names do not end like those of images: "
        "no suffix (1), .txt (1)",
    ]


def test_files_that_the_commands_write_into_a_folder_are_neither_split_nor_class(tmp_path):
    """A run, an export for TensorBoard and the plots of a page: images, but no data."""
    written = {
        "runs/first": ["config.yaml", "environment.json", "plots/map.png"],
        "map": ["projector_config.pbtxt", "sprite.png"],
        "page_plots": ["map.png"],
        "plots": ["map.png"],
    }
    images = ["bee/1.png", "bee/2.png", "cat/1.png"]
    for root, train_split, split in (("shares", "50%", ":"), ("splits", "train", "train")):
        place = tmp_path / root
        make_folder(place, [f"train/{path}" if split == "train" else path for path in images])
        before = source(place, train_split).table(split)
        for folder, names in written.items():
            make_folder(place, [f"{folder}/{name}" for name in names if name.endswith(".png")])
            for name in names:
                (place / folder / name).touch()
        for name in ("page.html", "report.html"):
            (place / name).touch()
        table = source(place, train_split).table(split)
        assert (table.ids, table.class_names) == (before.ids, {0: "bee", 1: "cat"})
        (note,) = [note for note in table.notes if "a command wrote" in note] or [""]
        assert (": map, page_plots, plots, runs/first" in note) == (root == "shares")
    with pytest.raises(RequestError, match="runs holds no image"):
        source(place).table("runs")
    assert find_images(tmp_path / "shares").images == images
    assert find_images(tmp_path / "shares/runs/first").images == ["plots/map.png"]


def test_a_folder_that_is_no_split_of_the_run_does_not_shift_the_numbers_of_classes(splits):
    before = [source(splits).table(split) for split in ("train", "test")]
    make_folder(splits, ["fig/a/1.png", "more/bee/1.png", "more/aaa/1.png", "fig/BEE/1.png"])
    (splits / os.fsdecode(b"fig/\xff.png")).touch()
    found = source(splits)
    assert [found.table(split).labels.tolist() for split in ("train", "test")] == [
        table.labels.tolist() for table in before
    ]
    more = found.table("more")
    assert more.labels.tolist() == [3, 1] and more.class_names[3] == "aaa"


def test_a_run_keeps_its_list_of_classes_whatever_comes_into_the_folder(splits):
    kept = source(splits).classes
    assert list(kept) == ["ant", "bee", "cat"]
    make_folder(splits, ["train/aaa/1.png", "test/10/1.png"])
    again = FolderSource(source(splits).data, classes=kept)
    train, test = again.table("train"), again.table("test")
    assert train.labels.tolist() == [3, 0, 1, 1] and test.labels.tolist() == [3, 1, 2]
    assert train.class_names == {0: "ant", 1: "bee", 2: "cat", 3: "aaa"}
    (note,) = [note for note in train.notes if "the run" in note]
    assert note == (
        f"1 classes in {splits}/train are new since the run began, and numbered after its "
        "classes: aaa"
    )


@pytest.mark.parametrize(
    ("more", "classes", "labels"),
    [
        ("junk", ["5-7"], {1, 2}),
        ("junk", ["junk"], {3}),
        ("6", ["5-7"], {1, 2, 3}),
        ("6", [2], set()),
    ],
)
def test_a_class_that_a_run_does_not_know_changes_no_number_of_its_configuration(
    tmp_path, more, classes, labels
):
    """5-7 means names while all class names are numbers, and labels otherwise."""
    make_folder(tmp_path, [f"train/{name}/1.png" for name in ("3", "5", "7")])
    kept = source(tmp_path).classes
    make_folder(tmp_path, [f"train/{more}/1.png"])
    table = FolderSource(source(tmp_path).data, classes=kept).table("train")
    found = labels_of(classes, table.class_names, "", strict=False, new_labels=table.new_labels)
    assert found == labels


def test_a_file_in_two_classes_is_named(splits):
    content = (splits / "train/ant/1.png").read_bytes()
    (splits / "train/ant/again.png").write_bytes(content)  # of the same class, no contradiction
    for name, more in (("bee/copy", content), ("bee/other", content[:-1] + b"x"), ("bee/z", b"")):
        (splits / f"train/{name}.png").write_bytes(more)
    os.symlink(splits / "train/bee/1.png", splits / "train/ant/linked.png")
    os.symlink(splits / "nowhere", splits / "train/ant/dangling.png")
    os.link(splits / "train/bee/2.png", splits / "train/ant/z.png")
    found = source(splits)
    assert found.in_two_classes(["train"]) == [
        "warning: 3 identical image files are in two classes: "
        "train/ant/1.png = train/bee/copy.png, train/ant/linked.png = train/bee/1.png, "
        "train/ant/z.png = train/bee/2.png"
    ]
    assert not found.in_two_classes(["test"])


@pytest.mark.parametrize(
    ("train_split", "eval_split", "folders"),
    [("train", "test", ["train", "test"]), ("50%", "-50%", ["."])],
)
def test_a_file_in_two_classes_is_noticed_between_the_splits_of_a_run(
    tmp_path, train_split, eval_split, folders
):
    names = [f"{c}/{number}.png" for c in ("ant", "bee") for number in range(4)]
    make_folder(tmp_path, [f"{top}/{name}" for top in folders for name in names])
    found = source(tmp_path, train_split)
    first = next(path for path in found.table(train_split).ids if "ant" in path)
    second = next(path for path in found.table(eval_split).ids if "bee" in path)
    (tmp_path / second).write_bytes((tmp_path / first).read_bytes())
    assert not found.in_two_classes([train_split]) and not found.in_two_classes([eval_split])
    (line,) = found.in_two_classes([train_split, eval_split, eval_split])
    pair = " = ".join(sorted([first, second]))
    assert line.endswith(f"1 identical image files are in two classes: {pair}")


def test_classes_have_the_same_numbers_in_training_and_for_images(tmp_path):
    for number, names in enumerate((["1501", "42", "7"], ["01", "1", "2"], ["b", "42", "7"])):
        root = make_folder(tmp_path / str(number), [f"train/{name}/1.png" for name in names])
        (batch,) = unsplit_images(root / "train", (8, 8, 3), "pad").batches(9)
        table = source(root).table("train")
        assert [i.removeprefix("train/") for i in table.ids] == batch.ids
        assert table.labels.tolist() == batch.labels.tolist()
        assert batch.class_names == table.class_names | {-1: ""}
        in_order = list(table.class_names.values())
        assert in_order == sorted(names, key=None if "b" in names else int)


@pytest.mark.parametrize(
    "names",
    [("Cat", "cat"), (unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é"))],
)
def test_two_classes_that_differ_in_case_or_unicode_form_only_are_refused(splits, names):
    make_folder(splits, [f"train/{name}/1.png" for name in names])
    with pytest.raises(RequestError, match="in case or Unicode form only"):
        source(splits)


def test_unicode_names_are_kept_and_names_that_are_not_text_refused(splits):
    make_folder(splits, ["train/Ångström 猫/ß.png"])
    table = source(splits).table("train")
    assert "train/Ångström 猫/ß.png" in table.ids and "Ångström 猫" in table.class_names.values()
    wrong = os.fsencode(str(splits)) + b"/train/ant/\xff.png"
    with open(wrong, "wb") as file:
        file.write((splits / "train/ant/1.png").read_bytes())
    with pytest.raises(RequestError, match=r"not UTF-8; rename them:\n.*ant/\\xff\.png"):
        source(splits)


def test_links_are_followed_once(splits):
    os.symlink(splits / "train/ant/1.png", splits / "train/bee/linked.png")
    os.symlink(splits / "train", splits / "train/bee/loop")
    os.symlink(splits / "train/ant", splits / "a link before all others")
    table = source(splits).table("train")
    assert table.ids == [
        "train/ant/1.png",
        "train/bee/1.png",
        "train/bee/2.png",
        "train/bee/linked.png",
    ]
    assert table.notes[0].endswith("links to folders that are read anyway: train/bee/loop")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read all folders")
def test_a_folder_that_cannot_be_read_is_refused(splits):
    (splits / "train/ant").chmod(0)
    with pytest.raises(RequestError, match="train/ant cannot be read: Permission denied"):
        source(splits)
    (splits / "train/ant").chmod(0o700)


def test_unreadable_images_are_all_named_before_anything_is_trained(splits):
    whole = (splits / "train/ant/1.png").read_bytes()
    bad = {"cut": whole[:-40], "empty": b"", "text": b"no image"}
    for name, content in bad.items():
        (splits / f"train/ant/{name}.png").write_bytes(content)
    os.symlink(splits / "nowhere", splits / "train/ant/dangling.png")
    table = source(splits).table("train")
    with pytest.raises(RunError, match="4 images of train cannot be read") as error:
        cached([table], DataConfig(dataset="digits"))
    for name in (*bad, "dangling"):
        assert str(error.value).count(f"{splits}/train/ant/{name}.png: ") == 1
    told = "\n".join(summary(table, DataConfig(dataset="digits"), True))
    for name in ("empty", "text", "dangling"):  # reads a header and no pixel
        assert f"cannot be read: {splits}/train/ant/{name}.png" in told


@pytest.mark.parametrize("channels", [None, 1, 3])
def test_images_of_any_size_and_kind_become_of_one(tmp_path, channels):
    make_folder(tmp_path, ["train/a/1.png", "train/a/2.jpg"], size=(30, 17))
    make_folder(tmp_path, ["train/b/3.webp"], size=(5, 9))
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "train/b/grey.png")
    table = source(tmp_path, image_size=(12, 16), channels=channels).table("train")
    assert table.image_shape == pixels(table).shape[1:] == (12, 16, channels or 3)
    assert any(
        "from 5 x 9 to 30 x 17" in line for line in summary(table, DataConfig(dataset="x"), True)
    )
