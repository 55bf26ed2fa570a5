import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triplet_train.data.batches import PKBatches
from triplet_train.errors import RequestError


def labels_of(sizes, seed=0):
    """Labels with gaps between their values, in random order."""
    labels = np.repeat(3 * np.arange(len(sizes)) - 5, sizes)
    return np.random.default_rng(seed).permutation(labels)


@st.composite
def requests(draw):
    sizes = draw(st.lists(st.integers(1, 30), min_size=2, max_size=12))
    usable = sum(size >= 2 for size in sizes)
    if usable < 2:
        sizes += [2, 5]
        usable = sum(size >= 2 for size in sizes)
    return labels_of(sizes), {
        "classes": draw(st.integers(2, usable)),
        "per_class": draw(st.integers(2, 7)),
        "seed": draw(st.integers(0, 2**31 - 1)),
        "sampling": draw(st.sampled_from(["images", "classes"])),
    }


@settings(max_examples=60, deadline=None)
@given(requests(), st.integers(0, 300))
def test_a_batch_holds_p_distinct_classes_and_k_distinct_images_of_each(request, step):
    labels, options = request
    p, k = options["classes"], options["per_class"]
    rows = PKBatches(labels, **options).rows(step).reshape(p, k)
    assert (labels[rows] == labels[rows][:, :1]).all()
    assert len(set(labels[rows][:, 0])) == p
    for group in rows:
        available = int((labels == labels[group[0]]).sum())
        assert available >= 2
        assert len(set(group)) == min(k, available)


@settings(max_examples=30, deadline=None)
@given(requests(), st.integers(1, 60))
def test_at_any_time_images_of_a_class_have_been_used_equally_often_give_or_take_one(
    request, steps
):
    labels, options = request
    batches = PKBatches(labels, **options)
    uses = np.zeros(len(labels), int)
    for step in range(steps):
        np.add.at(uses, batches.rows(step), 1)
    for label in set(labels):
        of_class = uses[labels == label]
        if len(of_class) >= options["per_class"]:
            assert of_class.max() - of_class.min() <= 1
        if len(of_class) == 1:
            assert of_class.sum() == 0


@settings(max_examples=20, deadline=None)
@given(requests(), st.lists(st.integers(0, 200), min_size=1, max_size=8))
def test_a_batch_is_a_function_of_seed_and_step_in_whatever_order_they_are_asked_for(
    request, steps
):
    labels, options = request
    in_order = PKBatches(labels, **options)
    expected = [in_order.rows(step) for step in range(max(steps) + 1)]
    shuffled = PKBatches(labels, **options)
    for step in [*steps, *steps]:
        np.testing.assert_array_equal(shuffled.rows(step), expected[step])


def test_batches_of_several_steps_are_those_of_each():
    batches = PKBatches(labels_of([9, 30, 4, 7]), classes=3, per_class=5, seed=0)
    expected = [batches.rows(step) for step in range(5, 40)]
    np.testing.assert_array_equal(batches.rows_of(range(5, 40)), expected)


@pytest.mark.parametrize("step", [1700, 10**6, 10**9])
def test_any_batch_of_large_groups_can_be_drawn_without_the_earlier_ones(step):
    labels = labels_of([1801] * 3)
    rows = PKBatches(labels, classes=2, per_class=1200, seed=0).rows(step)
    assert len(set(rows)) == 2400 and (np.unique(labels[rows], return_counts=True)[1] == 1200).all()


def test_over_a_run_every_image_is_used_about_equally_often_however_unequal_the_classes():
    sizes = np.random.default_rng(1).integers(4, 60, 100)
    labels = labels_of(sizes)
    batches = PKBatches(labels, classes=8, per_class=4, seed=0)
    epochs = 40
    uses = np.bincount(batches.rows_of(range(epochs * batches.steps_per_epoch)).ravel())
    assert uses.mean() == pytest.approx(epochs, rel=0.02)
    assert 0.75 * epochs < uses.min() and uses.max() < 1.25 * epochs


def test_equal_classes_are_used_equally_within_an_epoch():
    labels = labels_of([12] * 20)
    batches = PKBatches(labels, classes=5, per_class=4, seed=3)
    uses = np.zeros(len(labels), int)
    for step in range(batches.steps_per_epoch):
        uses[batches.rows(step)] += 1
    assert (uses == 1).all()


def test_a_class_too_large_for_its_share_appears_in_every_batch():
    labels = labels_of([1000] + [6] * 30)
    batches = PKBatches(labels, classes=4, per_class=3, seed=0)
    largest = np.bincount(labels + 5).argmax() - 5
    assert all(largest in labels[batches.rows(step)] for step in range(50))


@pytest.mark.parametrize("sizes", [[700] + [6] * 3499, [500] + [3] * 50])
def test_classes_of_any_size_are_drawn_equally_often_if_classes_are_sampled(sizes):
    labels = labels_of(sizes)
    batches = PKBatches(labels, classes=8, per_class=4, seed=0, sampling="classes")
    rows = batches.rows_of(range(3 * batches.steps_per_epoch))
    uses = np.unique(labels[rows[:, ::4]], return_counts=True)[1]
    assert len(uses) == len(sizes) and uses.max() - uses.min() <= 1


def test_seeds_and_steps_differ_in_their_batches():
    labels = labels_of([50] * 10)
    drawn = {
        PKBatches(labels, classes=4, per_class=4, seed=seed).rows(step).tobytes()
        for seed in range(4)
        for step in range(4)
    }
    assert len(drawn) == 16


def test_classes_left_out_or_repeated_are_named():
    batches = PKBatches(np.array([1, 2, 2, 2, 3, 3, 3, 3]), classes=2, per_class=4, seed=0)
    assert (batches.left_out, batches.repeated) == ([1], [2])


def test_more_classes_than_have_a_pair_are_refused():
    with pytest.raises(RequestError, match=r"batch\.classes: 3 distinct .* the 2 that"):
        PKBatches(np.array([1, 2, 2, 3, 3]), classes=3, per_class=2, seed=0)
