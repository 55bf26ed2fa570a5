"""Images that go through a tower at a time, and the message where they are too many."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.networks import TooLarge
from tests.helpers.tables import table
from triplet_train.config import load_config
from triplet_train.data.unsplit_folder import unsplit_images
from triplet_train.embeddings.compute import at_once, averaged, embed_batches, make_embed
from triplet_train.errors import RunError


@pytest.mark.parametrize("microbatch, size", [("null", 512), ("8", 8), ("1000", 512)])
def test_the_microbatch_of_training_bounds_evaluation_too(microbatch, size):
    small = ["batch.classes=10", "batch.per_class=200", f"train.microbatch={microbatch}"]
    assert at_once(load_config("digits_semihard", small), (8, 8, 1)) == size
    assert at_once(None, (8, 8, 1)) == 512


@pytest.mark.parametrize(
    "shape, microbatch, size",
    [
        ((28, 28, 1), "null", 5349),
        ((224, 224, 3), "null", 512),
        ((28, 28, 1), "1000", 1000),
        ((28, 28, 1), "10000", 5349),
    ],
)
def test_a_gpu_is_given_more_small_images_at_a_time(shape, microbatch, size, monkeypatch):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [kind])
    small = ["batch.classes=10", "batch.per_class=1000", f"train.microbatch={microbatch}"]
    assert at_once(load_config("digits_semihard", small), shape) == size


def test_vectors_are_the_same_whatever_the_batches_and_in_order():
    tower = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten()])
    images = np.arange(11 * 16, dtype=np.uint8).reshape(11, 4, 4, 1)
    made = table(images, np.arange(11))
    whole = make_embed(tower, 100)(made)
    np.testing.assert_array_equal(whole, images.reshape(11, 16))
    np.testing.assert_array_equal(make_embed(tower, 4)(made), whole)
    parts = list(embed_batches(tower, made, 4))
    assert [len(batch) for batch, _ in parts] == [4, 4, 3]
    np.testing.assert_array_equal(np.concatenate([vectors for _, vectors in parts]), whole)


def test_flipped_vectors_are_the_mean_direction_of_an_image_and_its_mirror_image():
    tower = keras.Sequential([keras.Input((4, 5, 3)), keras.layers.Flatten()])
    images = np.random.default_rng(0).integers(0, 256, (7, 4, 5, 3), np.uint8)
    looked = []
    parts = embed_batches(tower, table(images, np.arange(7)), 3, flip=True, look=looked.append)
    found = np.concatenate([vectors for _, vectors in parts])
    for image, vector in zip(images.astype(float), found, strict=True):
        total = image.ravel() + image[:, ::-1].ravel()
        expected = total / np.linalg.norm(total) * np.linalg.norm(image)
        np.testing.assert_allclose(vector, expected, rtol=1e-5)
    (first,) = looked  # as the tower gives them
    np.testing.assert_array_equal(first, images[:3].reshape(3, -1))


def test_averages_keep_unit_length_and_opposite_vectors_give_zero():
    vectors = np.random.default_rng(0).normal(size=(2, 50, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    found = averaged(*vectors)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(averaged(vectors[0], vectors[0]), vectors[0])
    assert not averaged(vectors[0], -vectors[0]).any()


def test_too_little_memory_is_reported_with_settings_that_take_less():
    embed = make_embed(TooLarge(), 2)
    message = "memory for 2 images at a time: .*OOM.*train.microbatch .*--batch-size"
    with pytest.raises(RunError, match=message) as error:
        embed(table(np.zeros((5, 4, 4, 1), np.uint8), np.zeros(5, np.int64)))
    assert "\n" not in str(error.value)


def test_a_batch_without_images_has_no_vectors_whatever_the_tower(tmp_path):
    pixels = keras.Input((8, 8, 3), dtype="uint8")
    features = keras.layers.Conv2D(5, 3)(keras.ops.cast(pixels, "float32"))
    tower = keras.Model(pixels, keras.layers.GlobalAveragePooling2D()(features))
    (tmp_path / "damaged.png").touch()
    images = unsplit_images(tmp_path, (8, 8, 3), "pad")
    found = [vectors.shape for _, vectors in embed_batches(tower, images, 2)]
    assert set(found) == {(0, 5)}
