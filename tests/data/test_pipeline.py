import numpy as np
import pytest

from tests.helpers.tables import table
from triplet_train.data.batches import PKBatches
from triplet_train.data.pipeline import training_batches


@pytest.mark.parametrize("local, replicas", [(range(1), 1), (range(2), 2), (range(2, 4), 6)])
def test_replicas_get_their_share_of_each_step_from_whatever_step_on(local, replicas):
    labels = np.repeat(np.arange(5), 8)
    pixels = np.arange(40, dtype=np.uint8).reshape(40, 1, 1, 1)
    images = table(pixels, labels)
    batches = PKBatches(labels, classes=3, per_class=4, seed=0)
    expected = [batches.rows(step) for step in range(9)]
    data = training_batches(images, batches, 4, local, replicas).as_numpy_iterator()
    for rows in expected[4:]:
        for replica in local:
            batch, batch_labels = next(data)
            assert batch.dtype == np.uint8
            np.testing.assert_array_equal(batch.reshape(-1), rows[replica::replicas])
            np.testing.assert_array_equal(batch_labels, labels[rows])


def test_all_images_go_by_once_in_order_the_last_batch_shorter():
    pixels = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1)
    batches = list(table(pixels, np.arange(10)).batches(4))
    assert [len(batch) for batch in batches] == [4, 4, 2]
    np.testing.assert_array_equal(np.concatenate([batch.images for batch in batches]), pixels)
    assert [id_ for batch in batches for id_ in batch.ids] == [f"row {n}" for n in range(10)]
