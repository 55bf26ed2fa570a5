import numpy as np

from triplet_train.data.batches import PKBatches
from triplet_train.data.pipeline import image_batches, training_batches
from triplet_train.data.sources import ImageSet


def test_the_device_gets_the_rows_of_each_step_from_whatever_step_on():
    labels = np.repeat(np.arange(5), 8)
    pixels = np.arange(40, dtype=np.uint8).reshape(40, 1, 1, 1)
    images = ImageSet(pixels, labels, [], {})
    batches = PKBatches(labels, classes=3, per_class=4, seed=0)
    expected = [batches.rows(step) for step in range(9)]
    got = list(training_batches(images, batches, 4, 9).as_numpy_iterator())
    assert len(got) == 5
    for rows, (batch, batch_labels) in zip(expected[4:], got, strict=True):
        assert batch.dtype == np.uint8
        np.testing.assert_array_equal(batch.reshape(-1), rows)
        np.testing.assert_array_equal(batch_labels, labels[rows])


def test_all_images_go_by_once_in_order_the_last_batch_shorter():
    pixels = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1)
    batches = list(image_batches(pixels, 4).as_numpy_iterator())
    assert [len(batch) for batch in batches] == [4, 4, 2]
    np.testing.assert_array_equal(np.concatenate(batches), pixels)
