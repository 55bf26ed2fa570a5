"""The distances of chosen pairs have the gradient that passes through the matrix, without it."""

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.losses_under_test import METRICS, STATISTICS, value_and_gradient
from triplet_train.losses.mining.batch import MiningBatch, mining_batch
from triplet_train.losses.mining.chosen_distances import chosen_distances

LABELS = np.arange(40) // 4


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("pairs", [3, 30], ids=["few pairs", "many pairs"])
def test_the_gradient_of_chosen_pairs_is_the_one_through_the_matrix(pairs, dtype, metric):
    random = np.random.default_rng(0)
    x = random.normal(size=(40, 3)).astype(dtype)
    x[[1, 5]], x[[8, 12]] = x[0], 0.0  # coincident points, and some without a direction
    columns = tf.constant(random.integers(0, 40, (40, pairs)), tf.int32)  # some twice
    weights = random.normal(size=(40, pairs)).astype(dtype)

    def weighted(look_up):
        def total(labels, x):
            return tf.reduce_sum(look_up(mining_batch(labels, x, metric), columns) * weights)

        return value_and_gradient(total, LABELS, x)

    value, gradient = weighted(lambda b, columns: chosen_distances(b, columns, b.at(columns)))
    expected, through = weighted(MiningBatch.at)
    assert float(value) == float(expected)
    size = float(np.abs(through).max())
    assert gradient.numpy() == pytest.approx(through.numpy(), abs=1e-6 * size)


@pytest.mark.parametrize("labels, products", [(LABELS, 1), (np.arange(40) // 20, 2)])
def test_with_few_positives_an_anchor_no_gradient_passes_through_the_matrix(labels, products):
    def call(x):
        return value_and_gradient(lambda y, x: STATISTICS["semi_hard"](y, x).loss, labels, x)

    graph = tf.function(call).get_concrete_function(tf.TensorSpec([40, 3])).graph
    types = [operation.type for operation in graph.get_operations()]
    assert types.count("MatMul") == products
    # Labels that are known when it is traced leave nothing to choose when it runs.
    assert not {"If", "StatelessIf"} & set(types)
