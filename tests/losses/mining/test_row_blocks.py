"""Blocks of rows give what all rows at once give."""

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.losses_under_test import FUNCTIONS, value_and_gradient
from triplet_train.losses.mining import row_blocks


@pytest.mark.parametrize("height", [1, 7, 20])
def test_semi_hard_mining_in_blocks_of_rows_is_the_same_bit_for_bit(height, monkeypatch):
    labels = np.arange(40) % 3
    x = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)

    def call():
        return value_and_gradient(FUNCTIONS["semi_hard"], labels, x)

    expected, expected_gradient = tf.function(call)()
    monkeypatch.setattr(row_blocks, "_NUMBERS", 40 * height)
    value, gradient = tf.function(call)()
    assert float(value) == float(expected) > 0
    np.testing.assert_array_equal(gradient, expected_gradient)


def test_no_block_is_empty_and_none_is_left_out(monkeypatch):
    monkeypatch.setattr(row_blocks, "_NUMBERS", 12)
    rows = tf.reshape(tf.range(40), [10, 4])
    heights = []

    def one(first, second):
        heights.append(len(first))
        return tf.cast(tf.concat([first, second], axis=1), tf.float64)

    found = row_blocks.in_row_blocks(one, rows, rows[:, :2])
    assert heights == [3, 3, 3, 1]
    np.testing.assert_array_equal(found, tf.concat([rows, rows[:, :2]], axis=1))
