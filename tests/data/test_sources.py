import socket

import numpy as np
import pytest
import tensorflow_datasets as tfds
from sklearn.datasets import load_digits
from tables import pixels

from triplet_train.config import DataConfig
from triplet_train.data.digits import TRAIN_IMAGES
from triplet_train.data.sources import open_source
from triplet_train.errors import RequestError


@pytest.fixture(scope="module")
def digits(data_dir):
    return open_source(DataConfig(dataset="digits", data_dir=str(data_dir)))


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
    # TFDS shuffles rows within a split when it writes them, so compare as multisets.
    expected = np.rint(original.data * (255 / 16)).astype(np.uint8)
    assert sorted(map(bytes, ours)) == sorted(map(bytes, expected))
    labels = np.concatenate([s.labels for s in splits])
    assert np.bincount(labels).tolist() == np.bincount(original.target).tolist()


def test_images_stay_uint8_and_rows_have_the_ids_of_tfds_in_its_order(digits, data_dir):
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
def test_a_split_that_is_not_there_is_refused_with_those_that_are(digits, split):
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


def test_a_set_that_cannot_be_had_is_refused_with_its_folder_and_leaves_nothing(
    tmp_path, no_network
):
    with pytest.raises(RequestError) as error:
        open_source(DataConfig(dataset="cifar10", data_dir=str(tmp_path / "sets")))
    for part in ("cifar10/", str(tmp_path / "sets"), "cannot be reached", "--data-dir"):
        assert part in str(error.value)
    assert not any(tmp_path.iterdir())


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
    assert pixels(images).shape == (10, 28, 28, 1) and set(images.class_names) == set(range(10))


@pytest.mark.parametrize("split", ["test", "test[3:8]", "train[:90%]", "test[:1]"])
def test_shards_in_order_are_the_split_row_for_row(digits, split):
    whole = digits.table(split)
    for shards in (1, 3):
        parts = [digits.table(split, (index, shards)) for index in range(1, shards + 1)]
        assert [id_ for part in parts for id_ in part.ids] == whole.ids
        np.testing.assert_array_equal(np.concatenate(list(map(pixels, parts))), pixels(whole))
        sizes = list(map(len, parts))
        assert sum(sizes) == len(whole) and max(sizes) - min(sizes) <= 1
