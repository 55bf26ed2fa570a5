"""Held-out classes and rotated ones."""

from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.tables import pixels, table
from triplet_train.config import DataConfig
from triplet_train.data.classes import evaluated_images, labels_of, rotated, training_images
from triplet_train.data.images import shard_of
from triplet_train.errors import RequestError

NAMES = {0: "ant", 1: "bee", 2: "cat", 3: "7", 4: "3-5", 5: "fox"}
RANDOM = np.random.default_rng(0)
LABELS = np.tile(np.arange(6), 4)
IMAGES = RANDOM.integers(0, 256, (24, 3, 3, 2), np.uint8)
TABLE = table(IMAGES, LABELS, class_names=NAMES)


def data(**options):
    return DataConfig(dataset="digits", **options)


TURNED = data(eval_classes=[1, 5], class_rotations=True)
MANY = table(np.zeros((200, 2, 2, 1), np.uint8), np.arange(200) % 50)


def classes_of(some):
    return {some.class_names[label] for label in some.labels.tolist()}


@pytest.mark.parametrize(
    ("spec", "labels"),
    [
        ([1], {1}),
        (["1"], {1}),
        (["bee"], {1}),
        (["1-3"], {1, 2, 3}),
        (["1-3", 2, "fox", "cat"], {1, 2, 3, 5}),
        (["7"], {3}),  # a name goes before a number
        (["3-5"], {4}),  # and before a range
        (["4-99"], {4, 5}),
    ],
)
def test_classes_are_named_by_number_by_name_or_by_range(spec, labels):
    assert labels_of(spec, NAMES, "data.train_classes") == labels


@pytest.mark.parametrize("spec", [[6], ["bea"], ["6-9"], ["5-1"], [-1], [""], ["1-"]])
def test_an_unknown_class_is_refused_with_the_known_ones(spec):
    with pytest.raises(RequestError, match=r"data\.eval_classes: no class .*numbered 0 to 5"):
        labels_of([0, *spec], NAMES, "data.eval_classes")
    with pytest.raises(RequestError, match="did you mean 'bee'"):
        labels_of(["bea"], NAMES, "")


@pytest.mark.parametrize(
    ("options", "trained", "evaluated"),
    [
        ({}, range(6), range(6)),
        ({"train_classes": ["0-2"]}, [0, 1, 2], [3, 4, 5]),
        ({"eval_classes": ["fox"]}, [0, 1, 2, 3, 4], [5]),
        ({"train_classes": [0, 1], "eval_classes": ["cat"]}, [0, 1], [2]),
    ],
)
def test_no_class_is_both_trained_on_and_evaluated_on(options, trained, evaluated):
    for rows, classes in ((training_images, trained), (evaluated_images, evaluated)):
        some = rows(TABLE, data(**options), seed=0)
        assert sorted(set(some.labels.tolist())) == list(classes)
        expected = np.flatnonzero(np.isin(LABELS, classes))
        assert some.ids == [f"row {row}" for row in expected]
        np.testing.assert_array_equal(pixels(some), IMAGES[expected])
        np.testing.assert_array_equal(some.read(np.array([2, 0])), IMAGES[expected[[2, 0]]])


@pytest.mark.parametrize(
    ("options", "trained", "evaluated"),
    [
        ({"train_classes": "80%"}, 40, 10),
        ({"eval_classes": "20%"}, 40, 10),
        ({"train_classes": "80%", "eval_classes": "20%"}, 40, 10),
        ({"train_classes": "33%"}, 16, 34),
        ({"train_classes": "40%", "eval_classes": "30%"}, 20, 15),
    ],
)
def test_a_share_of_the_classes_is_drawn_by_the_seed(options, trained, evaluated):
    parts = [
        [classes_of(images(MANY, data(**options), seed)) for seed in range(3)]
        for images in (training_images, evaluated_images)
    ]
    for first, second in zip(*parts, strict=True):
        assert (len(first), len(second)) == (trained, evaluated) and not first & second
    assert len({frozenset(drawn) for drawn in parts[0]}) == 3


def test_a_share_depends_on_the_names_of_the_classes_only():
    """Neither on their numbers, nor on the images of a split, nor on classes that came later."""
    share, names = data(train_classes="60%"), MANY.class_names
    drawn = classes_of(training_images(MANY, share, seed=7))
    other = table(
        np.zeros((90, 2, 2, 1), np.uint8),
        np.arange(90) % 45,
        class_names={49 - label: name for label, name in names.items()} | {50: "new", 51: "too"},
    )
    other = replace(other, labels=np.append(other.labels[:-2], [50, 51]), new_labels={50, 51})
    there = classes_of(other) - {"new", "too"}
    assert classes_of(training_images(other, share, seed=7)) == drawn & there
    assert classes_of(evaluated_images(other, share, seed=7)) == there - drawn


def test_a_share_without_a_class_is_refused():
    with pytest.raises(
        RequestError, match=r"data\.train_classes: 5% of the 6 classes are 0, and made has no image"
    ):
        training_images(TABLE, data(train_classes="5%"), seed=0)
    turned = training_images(TABLE, data(train_classes="50%", class_rotations=True), seed=0)
    assert turned.classes == "50%" and len(set(turned.labels.tolist())) == 12


def test_classes_to_leave_out_may_be_missing_from_a_split():
    few = table(IMAGES[:3], LABELS[:3])
    assert training_images(few, data(eval_classes=["5-9", 77]), seed=0).labels.tolist() == [0, 1, 2]


def test_classes_that_are_both_are_refused_by_name():
    both = data(train_classes=["0-3"], eval_classes=["cat", 3, 5])
    for rows in (training_images, evaluated_images):
        with pytest.raises(
            RequestError, match=r"2 classes are also in data.train_classes.*: cat, 7"
        ):
            rows(TABLE, both, seed=0)


def test_a_split_without_any_of_the_classes_is_refused():
    few = table(IMAGES[:2], LABELS[:2], class_names=NAMES)
    with pytest.raises(RequestError, match=r"data\.eval_classes: made has no image"):
        evaluated_images(few, data(eval_classes=["fox"]), seed=0)


@pytest.mark.parametrize(
    ("key", "rows", "left"),
    [("eval", training_images, "train"), ("train", evaluated_images, "eval")],
)
def test_a_list_of_all_classes_is_named_as_what_leaves_no_image(key, rows, left):
    with pytest.raises(
        RequestError, match=rf"^data\.{key}_classes: all images of made .* data\.{left}_classes$"
    ):
        rows(TABLE, data(**{f"{key}_classes": list(NAMES.values())}), seed=0)


def test_each_turn_of_a_class_is_a_class_of_its_own():
    some = evaluated_images(TABLE, TURNED, seed=0)
    assert len(some) == 4 * 8 and set(some.labels.tolist()) == {4, 5, 6, 7, 20, 21, 22, 23}
    assert some.class_names[4] == "bee@0" and some.class_names[23] == "fox@270"
    assert some.ids[:5] == ["row 1@0", "row 1@90", "row 1@180", "row 1@270", "row 5@0"]
    for row, image in enumerate(pixels(some)):
        original = IMAGES[int(some.ids[row].split("@")[0].removeprefix("row "))]
        np.testing.assert_array_equal(image, np.rot90(original, row % 4))
    shuffled = RANDOM.permutation(len(some))
    np.testing.assert_array_equal(some.read(shuffled), pixels(some)[shuffled])


@pytest.mark.parametrize("shards", [1, 3, 40])
def test_shards_in_order_are_all_that_was_chosen(shards):
    some = evaluated_images(TABLE, TURNED, seed=0)
    parts = [shard_of(some, index, shards) for index in range(1, shards + 1)]
    assert [id_ for part in parts for id_ in part.ids] == some.ids
    np.testing.assert_array_equal(np.concatenate(list(map(pixels, parts))), pixels(some))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_turning_needs_square_images():
    with pytest.raises(RequestError, match=r"class_rotations: images of 3 x 2 are not square"):
        rotated(table(IMAGES[:, :, :2], LABELS))
