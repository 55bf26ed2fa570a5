import os
import shutil
import socket

import numpy as np
import pytest
import tensorflow_datasets as tfds
from sklearn.datasets import load_digits
from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError

from tests.helpers.made_sets import CLASSES, Broken, Named, Photos, Plain, picture
from tests.helpers.tables import pixels
from triplet_train.config import DataConfig
from triplet_train.data.classes import rotated, training_images
from triplet_train.data.source import open_source
from triplet_train.data.sources.tfds import label_index
from triplet_train.data.sources.tfds.digits import TRAIN_IMAGES, Digits
from triplet_train.errors import RequestError, RunError


@pytest.fixture(scope="module")
def digits(data_dir):
    return open_source(DataConfig(dataset="digits", data_dir=str(data_dir)))


@pytest.fixture
def copied(tmp_path, digits_in_both_formats):
    """Copy `digits` without an index of labels to `tmp_path`: `copied(format)` -> DataConfig."""

    def copy(format="tfrecord"):
        without = shutil.ignore_patterns(label_index.FOLDER)
        place = digits_in_both_formats / format
        shutil.copytree(place, tmp_path, ignore=without, dirs_exist_ok=True)
        return DataConfig(dataset="digits", data_dir=str(tmp_path))

    return copy


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*arguments, **options):
        raise socket.gaierror("no network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_digits_are_the_images_of_scikit_learn_every_one_once(digits):
    splits = [digits.table(split) for split in ("train", "test")]
    assert [len(split) for split in splits] == [TRAIN_IMAGES, 1797 - TRAIN_IMAGES]
    original = load_digits()
    ours = np.concatenate([pixels(s).reshape(len(s), 64) for s in splits])
    # TFDS shuffles images within a split when it writes them, so compare as multisets.
    expected = np.rint(original.data * (255 / 16)).astype(np.uint8)
    assert sorted(map(bytes, ours)) == sorted(map(bytes, expected))
    labels = np.concatenate([s.labels for s in splits])
    assert np.bincount(labels).tolist() == np.bincount(original.target).tolist()


def test_images_stay_uint8_and_have_the_ids_of_tfds_in_its_order(digits, data_dir):
    images = digits.table("test[10:30]")
    assert pixels(images).dtype == np.uint8 and pixels(images).shape == (20, 8, 8, 1)
    assert images.labels.dtype == np.int64
    reference = tfds.load(
        "digits",
        data_dir=data_dir,
        split="test[10:30]",
        read_config=tfds.ReadConfig(add_tfds_id=True, interleave_cycle_length=1),
    )
    rows = list(reference.as_numpy_iterator())
    assert images.ids == [row["tfds_id"].decode() for row in rows]
    np.testing.assert_array_equal(pixels(images), [row["image"] for row in rows])
    assert images.labels.tolist() == [row["label"] for row in rows]


def test_slices_of_a_split_are_parts_of_it(digits):
    whole = digits.table("train")
    parts = [digits.table(split) for split in ("train[:40%]", "train[40%:]")]
    assert whole.ids == parts[0].ids + parts[1].ids
    assert len(set(whole.ids)) == len(whole)


def test_images_are_resized_to_the_size_that_is_asked_for(data_dir):
    source = open_source(DataConfig(dataset="digits", data_dir=str(data_dir), image_size=(6, 10)))
    images = pixels(source.table("test[:5]"))
    assert images.shape == (5, 6, 10, 1) and images.dtype == np.uint8
    assert images.max() > 100


@pytest.mark.parametrize("split", ["tset", "test[", "test[:0]", "test[:abc]", ""])
def test_a_missing_split_is_refused_with_the_existing_ones(digits, split):
    with pytest.raises(RequestError, match="split"):
        digits.count(split)


@pytest.mark.parametrize(
    ("request_", "culprit"),
    [
        ({"dataset": "mnits"}, r"'mnits'; did you mean mnist\?"),
        ({"dataset": ""}, r"data\.dataset"),
        ({"dataset": "mnist/nope"}, r"data\.dataset: 'mnist/nope'"),
        ({"dataset": "mnist:9.9.9"}, r"data\.dataset: 'mnist:9.9.9'"),
        ({"dataset": "digits", "label_key": "lable"}, r"data\.label_key: .* image, label"),
        ({"dataset": "digits", "label_key": "image"}, r"data\.label_key"),
        ({"dataset": "digits", "image_key": "label"}, r"data\.image_key"),
    ],
)
def test_a_set_that_cannot_be_used_is_refused_by_the_key_at_fault(data_dir, request_, culprit):
    with pytest.raises(RequestError, match=culprit):
        open_source(DataConfig(data_dir=str(data_dir), **request_))


def test_an_unavailable_set_is_refused_with_its_folder_and_leaves_nothing(tmp_path, no_network):
    with pytest.raises(RequestError) as error:
        open_source(DataConfig(dataset="cifar10", data_dir=str(tmp_path / "sets")))
    for part in ("cifar10/", str(tmp_path / "sets"), "cannot be reached", "--data-dir"):
        assert part in str(error.value)
    assert not any(tmp_path.iterdir())


def test_a_download_that_is_not_what_was_expected_is_refused_with_the_reason(tmp_path, monkeypatch):
    def changed(*_):
        raise NonMatchingChecksumError("https://host/file.zip", "file.zip")

    monkeypatch.setattr(Digits, "download_and_prepare", changed)
    with pytest.raises(RequestError, match=r"digits/1\.0\.0 is not in .* and cannot be prepared"):
        open_source(DataConfig(dataset="digits", data_dir=str(tmp_path)))


def test_images_of_varying_size_need_an_image_size(tmp_path, no_network):
    with pytest.raises(RequestError, match="vary in size"):
        open_source(DataConfig(dataset="tf_flowers", data_dir=str(tmp_path)), write=False)
    assert not any(tmp_path.iterdir())


def test_without_writing_a_set_is_described_and_nothing_is_left(tmp_path):
    embedded = open_source(DataConfig(dataset="digits", data_dir=str(tmp_path)), write=False)
    assert embedded.ready and embedded.count("test") == 450
    remote = open_source(DataConfig(dataset="cifar10", data_dir=str(tmp_path)), write=False)
    assert not remote.ready and remote.image_shape == (32, 32, 3)
    assert not any(tmp_path.iterdir())


def test_mnist_is_read_as_tfds_wrote_it(mnist_dir):
    source = open_source(DataConfig(dataset="mnist", data_dir=str(mnist_dir)))
    assert (source.count("train"), source.count("test")) == (60_000, 10_000)
    images = source.table("test[9990:]")
    assert images.ids[0] == "mnist-test.tfrecord-00000-of-00001__9990"
    assert pixels(images).shape == (10, 28, 28, 1) and set(images.class_names) == {-1, *range(10)}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A TFDS folder with JPEGs of many sizes, some of them grey, and with images without labels."""
    place = tmp_path_factory.mktemp("made")
    for config in ("colour", "mixed"):
        Photos(config=config, data_dir=place).download_and_prepare()
    Plain(data_dir=place, file_format="array_record").download_and_prepare()
    Broken(data_dir=place).download_and_prepare()
    return place


def photos(made, name="photos/colour", **options):
    keys = {"image_key": "photo", "label_key": "kind", "image_size": (16, 16)}
    return open_source(DataConfig(dataset=name, data_dir=str(made), **(keys | options)))


def test_features_of_other_names_and_images_of_many_sizes_are_read(made):
    table = photos(made).table("train")
    assert len(table) == 40 and table.class_names == dict(enumerate(CLASSES)) | {-1: ""}
    assert pixels(table).shape == (40, 16, 16, 3)
    reference = tfds.load("photos/colour", data_dir=made, split="train").as_numpy_iterator()
    rows = {row["size"]: row for row in reference}
    for row, (label, image) in enumerate(zip(table.labels, pixels(table), strict=True)):
        height, width, _ = table.size_of(row)
        original = rows[height - 20]
        assert original["photo"].shape == (height, width, 3) and original["kind"] == label
        shown = image[image.any(axis=2)]  # without the bars
        assert abs(shown.mean() - original["photo"].mean()) < 20


@pytest.mark.parametrize(("channels", "width"), [(1, 1), (3, 3)])
def test_grey_and_colour_are_converted_as_asked(made, channels, width):
    images = pixels(photos(made, "photos/mixed", channels=channels).table("train"))
    assert images.shape == (40, 16, 16, width) and images.std() > 10
    with pytest.raises(RequestError, match=r"data\.channels: .*vary in channels"):
        photos(made, "photos/mixed")


def test_grey_digits_in_colour_are_three_times_the_same(data_dir):
    data = {"dataset": "digits", "data_dir": str(data_dir)}
    grey, colour = (
        pixels(open_source(DataConfig(**data, channels=channels)).table("test[:9]"))
        for channels in (None, 3)
    )
    np.testing.assert_array_equal(colour, np.repeat(grey, 3, axis=3))


def test_a_set_without_labels_has_unlabelled_images_and_a_warning(made):
    source = open_source(DataConfig(dataset="plain", data_dir=str(made)))
    table = source.table("test")
    assert table.labels.tolist() == [-1] * 7 and "have no label" in table.notes[0]
    assert pixels(table).shape == (7, 8, 8, 1)
    with pytest.raises(RequestError, match=r"data\.label_key: .*no feature 'kind'; it has image"):
        open_source(DataConfig(dataset="plain", data_dir=str(made), label_key="kind"))


@pytest.fixture(params=["tfrecord", "array_record"])
def named(tmp_path, request):
    """Open a set whose labels are texts, with options."""
    Named(data_dir=tmp_path, file_format=request.param).download_and_prepare()
    return lambda **options: open_source(
        DataConfig(dataset="named", data_dir=str(tmp_path), **options)
    )


def test_labels_that_are_texts_are_numbered_by_their_sorted_names_over_all_splits(
    named, monkeypatch
):
    for _ in range(2):
        source = named()
        tables = [source.table(split) for split in ("train", "test", "train[5:9]")]
        assert source.classes == ["Al", "Bo", "Cy", "Di", "Zoë"]
        assert all(t.class_names == dict(enumerate(source.classes)) | {-1: ""} for t in tables)
        train, test, some = (table.labels.tolist() for table in tables)
        assert sorted(train) == [0] * 6 + [1] * 6 + [2] * 6 + [4] * 6 and some == train[5:9]
        assert sorted(test) == [-1] * 2 + [0] * 3 + [3] * 3  # no label where the text is empty
        of_image = {
            picture(number, 8, 8, 1).tobytes(): ("Zoë", "Bo", "Cy", "Al")[number % 4]
            for number in range(24)
        }
        for image, label in zip(pixels(tables[0]), train, strict=True):
            assert of_image[image.tobytes()] == source.classes[label]
        monkeypatch.setattr(label_index, "_scan", None)  # the index holds all


def test_features_in_features_are_reached_and_numbers_in_texts_are_sorted_as_numbers(named):
    source = named(image_key="shot/photo", label_key="shot/number")
    table = source.table("train[:3]")
    assert source.classes == [str(number) for number in range(11)]
    for image, label in zip(pixels(table), table.labels.tolist(), strict=True):
        numbers = (number for number in range(label, 24, 11))
        assert any((image == 255 - picture(number, 8, 8, 1)).all() for number in numbers)


def test_a_label_may_be_a_boolean_and_the_group_any_feature(named):
    source = named(label_key="glasses", group_key="label")
    assert source.classes == ["false", "true"]
    table = source.table("test")
    assert np.bincount(table.labels).tolist() == [5, 3]
    groups = {"group_key": "shot/number"}, {"group_key": "glasses"}, {"group_key": "day"}
    texts, booleans, names = (
        named(**options).table("test").columns["group"].to_pylist() for options in groups
    )
    people = table.columns["group"].to_pylist()
    rows = sorted(zip(texts, table.labels.tolist(), booleans, names, people, strict=True))
    shown = [(str(n % 11), n % 3 == 0, n % 2, n) for n in range(24, 32)]
    days, truth, people = ("mon", "tue"), ("false", "true"), ("Al", "Di", "")
    assert rows == sorted(
        (text, int(on), truth[on], days[odd], people[n % 3]) for text, on, odd, n in shown
    )
    assert "group" not in named().table("test").columns
    with pytest.raises(RequestError, match=r"^data\.group_key: 'tags' of named has several"):
        named(group_key="tags")


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("objects/label", "'objects/label' of named has several values per example, not one; "),
        ("tags", "'tags' of named has several values per example"),
        ("shot/photo", "'shot/photo' of named is not one integer, boolean or text per image"),
        ("shot", "no feature 'shot'; it has image, label, shot/photo, .*objects/label"),
    ],
)
def test_a_feature_that_is_not_one_label_is_refused_with_the_reason(tmp_path, key, reason):
    Named(data_dir=tmp_path).download_and_prepare()
    with pytest.raises(RequestError, match=rf"^data\.label_key: .*{reason}"):
        open_source(DataConfig(dataset="named", data_dir=str(tmp_path), label_key=key))


def test_a_share_of_classes_without_names_is_the_same_in_every_split(made):
    share = {"label_key": "size", "train_classes": "50%"}
    parts = [photos(made, **share).table(split) for split in ("train", "train[:7]")]
    whole, some = (training_images(part, photos(made, **share).data, seed=0) for part in parts)
    assert len(whole) in (19, 20)  # of 41 classes, one of which is in another split
    assert set(some.ids) == set(whole.ids) & set(parts[1].ids)


def test_labels_are_found_once_without_decoding_an_image(tmp_path, copied, monkeypatch):
    data = copied()
    labels = open_source(data).table("test").labels
    (kept,) = tmp_path.rglob("*.npz")
    assert kept.parent.name == "triplet_train_index"

    def scan(*arguments):
        raise AssertionError("scanned again")

    with monkeypatch.context() as patch:
        patch.setattr(label_index, "_scan", scan)
        patch.setattr(tfds.features.Image, "decode_example", scan)
        again = open_source(data).table("test[50:]")
    np.testing.assert_array_equal(again.labels, labels[50:])
    (file,) = tmp_path.rglob("digits-test.tfrecord*-of-00001")
    for spoil in (lambda: kept.write_bytes(b"PK"), lambda: os.utime(file), kept.unlink):
        spoil()
        np.testing.assert_array_equal(open_source(data).table("test").labels, labels)
        with monkeypatch.context() as patch:
            patch.setattr(label_index, "_scan", scan)
            open_source(data).table("test")


def test_without_writing_no_index_is_kept(tmp_path, copied):
    data = copied()
    assert len(open_source(data, write=False).table("test")) == 450
    assert not list(tmp_path.rglob("*.npz"))


@pytest.mark.parametrize(
    ("format", "part"),  # with the damage; ArrayRecord files are in another order
    [("tfrecord", "test[30%:40%]"), ("array_record", "test")],
)
def test_a_damaged_file_is_named_whether_its_labels_are_known_or_not(
    tmp_path, copied, format, part
):
    data = copied(format)
    table = open_source(data).table(part)
    (file,) = tmp_path.rglob(f"digits-test.{format}*-of-00001")
    content = bytearray(file.read_bytes())
    middle = len(content) // 3
    content[middle : middle + 400] = bytes(400)
    file.write_bytes(content)
    for use in (lambda: pixels(table), lambda: open_source(data).table("test")):
        with pytest.raises(RunError, match=r"cannot read .*digits/1\.0\.0 test.*: .*damaged"):
            use()


def test_an_image_that_cannot_be_decoded_is_named_with_the_cause(made):
    source = open_source(DataConfig(dataset="broken", data_dir=str(made), image_size=(8, 8)))
    table = source.table("test")
    good = [row for row in range(9) if table.labels[row] != 4]
    assert table.read(np.array(good)).shape == (8, 8, 8, 3)
    (bad,) = set(range(9)) - set(good)
    with pytest.raises(RunError, match=rf"cannot read the image .*{table.ids[bad]}: .*[Ii]mage"):
        pixels(table)
    with pytest.raises(RunError, match=rf"{table.ids[bad]}: not an image"):
        table.size_of(bad)


def test_images_without_a_label_beside_those_with_one_have_no_name(made):
    table = open_source(DataConfig(dataset="broken", data_dir=str(made), image_size=(8, 8))).table(
        "unlabelled"
    )
    assert table.labels.tolist() == [-1, -1] and table.class_names[-1] == ""
    assert rotated(table).class_names[-1] == ""


@pytest.fixture
def without_index(tmp_path, copied):
    """Data on disk, and the place of its index of labels, which was removed."""
    data = copied()
    open_source(data).table("test")
    (index,) = tmp_path.rglob("triplet_train_index")
    shutil.rmtree(index)
    return data, index


def test_an_index_that_cannot_be_kept_is_made_every_time(without_index):
    data, index = without_index
    index.write_text("in the way")
    assert len(open_source(data).table("test")) == 450 and index.read_text() == "in the way"


def test_no_index_is_written_into_a_folder_that_is_marked_read_only(without_index):
    data, index = without_index
    index.parent.chmod(0o555)  # root may write there all the same
    try:
        assert len(open_source(data).table("test")) == 450 and not index.exists()
    finally:
        index.parent.chmod(0o755)
