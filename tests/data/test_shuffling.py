from itertools import permutations

import numpy as np
import pytest

from triplet_train.data.shuffling import key_of, shuffled

MANY = [*range(1, 40), 63, 64, 65, 97, 360, 361, 362, 1801, 6000]


def test_every_number_comes_once_in_an_order_that_each_key_has_for_itself():
    for size in MANY:
        orders = shuffled(np.arange(size), np.array(size), key_of(np.arange(20))[:, np.newaxis])
        assert (np.sort(orders, axis=1) == np.arange(size)).all()
        assert size < 8 or len(np.unique(orders, axis=0)) == 20


def test_any_place_can_be_drawn_alone_and_beside_those_of_other_lists():
    sizes, keys = np.array(MANY), key_of(3, np.arange(len(MANY)))
    places = np.random.default_rng(0).integers(sizes)
    together = shuffled(places, sizes, keys)
    for number, (place, size, key) in enumerate(zip(places, sizes, keys, strict=True)):
        whole = shuffled(np.arange(size), np.array(size), np.array(key))
        assert together[number] == whole[place]


@pytest.mark.parametrize("size", [2, 3, 4, 5, 6])
def test_all_orders_of_a_few_are_about_equally_frequent(size):
    keys = key_of(1, np.arange(20_000))[:, np.newaxis]
    orders = shuffled(np.arange(size), np.array(size), keys)
    counts = dict.fromkeys(permutations(range(size)), 0)
    for order, times in zip(*np.unique(orders, axis=0, return_counts=True), strict=True):
        counts[tuple(order.tolist())] = times
    expected, free = len(keys) / len(counts), len(counts) - 1
    squares = sum((times - expected) ** 2 for times in counts.values()) / expected
    assert squares < free + 5 * np.sqrt(2 * free)


def test_pairs_of_places_in_a_long_list_are_about_uniform():
    orders = shuffled(np.array([0, 1]), np.array(6000), key_of(np.arange(60_000))[:, np.newaxis])
    counts = np.histogram2d(*orders.T, bins=20)[0]
    squares = ((counts - 150) ** 2 / 150).sum()
    assert squares < 399 + 5 * np.sqrt(2 * 399)


def test_keys_differ_for_numbers_that_differ():
    first, second = np.arange(300), np.arange(300)[:, np.newaxis]
    assert len(np.unique(key_of(0, first, second))) == 300 * 300
    assert key_of(1, 2) != key_of(2, 1)
