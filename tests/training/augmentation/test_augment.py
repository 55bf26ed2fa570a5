import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.augmented import STRONG, STRONG_IN_GREY, augment, changed, noise
from tests.training.test_step import IMAGES, make_with_optimizer
from triplet_train.config import AugmentConfig
from triplet_train.losses.mining.uniform import uniform
from triplet_train.training import step as step_module
from triplet_train.training.augmentation import make_augmentation
from triplet_train.training.augmentation.draws import Draws, draw
from triplet_train.training.randomness import IMAGES as PURPOSE
from triplet_train.training.randomness import fold, step_key


@pytest.mark.parametrize("shape", [(3, 7, 5, 1), (2, 1, 6, 3), (2, 6, 1, 4), (1, 1, 1, 1)])
def test_draws_in_the_middle_of_their_ranges_change_nothing(shape):
    images = noise(*shape)
    strong = STRONG if shape[-1] == 3 else STRONG_IN_GREY
    np.testing.assert_array_equal(changed(strong, images), images)


@pytest.mark.parametrize("replicas", [2, 3, 5])
def test_an_image_of_a_share_is_bit_for_bit_that_of_the_whole_batch(replicas):
    images = 255 * (noise(45, 64, 64, 3) // 128)  # steep, to show the last bit of a coordinate
    whole = augment(STRONG, images)
    for replica in range(replicas):
        rows = np.arange(replica, 45, replicas)
        share = augment(STRONG, images[rows], rows=rows, total=45)
        np.testing.assert_array_equal(share, whole[rows])


def test_another_step_seed_or_position_gives_another_image():
    images = np.repeat(noise(1, 8, 8, 3), 20, axis=0)
    first = augment(STRONG, images)
    np.testing.assert_array_equal(first, augment(STRONG, images))
    for other in (augment(STRONG, images, step=1), augment(STRONG, images, seed=1)):
        assert (first != other).any(axis=(1, 2, 3)).all()
    assert len({image.tobytes() for image in first}) == 20


def test_no_option_changes_what_another_does():
    images = np.zeros((30, 8, 8, 3), np.uint8)
    alone = augment(AugmentConfig(erase=0.5), images)
    others = STRONG.model_copy(update={"contrast": 0.0, "brightness": 0.0})  # black stays black
    np.testing.assert_array_equal(alone, augment(others, images))


def test_numbers_are_what_they_were_when_there_were_fewer_options():
    """Runs that began with an earlier version go on as they began."""
    key = step_key(3, tf.constant(5))
    drawn = draw(key, 7)
    table = uniform([7, 14], fold(key, PURPOSE))
    np.testing.assert_array_equal(tf.stack(drawn[:14], axis=1), table)
    for purpose, one in enumerate(drawn[14:], start=PURPOSE + 1):
        np.testing.assert_array_equal(one, uniform([7], fold(key, purpose)))
    assert Draws._fields[:14] == (
        *("rotate", "shift_x", "shift_y", "zoom", "shear", "flip_x", "flip_y"),
        *("contrast", "brightness"),
        *("erase", "erase_aspect", "erase_left", "erase_top", "erase_level"),
    )


@pytest.mark.parametrize("option", AugmentConfig.model_fields)
def test_every_option_changes_images_by_itself(option):
    images = noise(20, 8, 8, 3)
    value = {"flip": "both", "rotate": 30.0, "grayscale": 1.0, "blur": 2.0}.get(option, 0.5)
    seen = augment(AugmentConfig(**{option: value}), images)
    assert (seen != images).any(axis=(1, 2, 3)).mean() > 0.5


def test_with_nothing_switched_on_the_step_has_nothing_to_do():
    assert make_augmentation(AugmentConfig()) is None


def test_numbers_are_the_same_with_xla():
    plain, compiled = (
        tf.function(lambda step: draw(step_key(0, step), 5), autograph=False, jit_compile=xla)(
            tf.constant(2)
        )
        for xla in (False, True)
    )
    np.testing.assert_array_equal(plain, compiled)


@pytest.mark.slow
def test_xla_gives_the_same_images_but_for_rounding():
    images = tf.constant(noise(30, 9, 8, 3))
    augment = make_augmentation(STRONG)

    def run(step):
        return augment(images, step_key(0, step), tf.range(30), 30)

    plain, compiled = (
        tf.function(run, jit_compile=xla)(tf.constant(0)).numpy().astype(int)
        for xla in (False, True)
    )
    assert np.abs(plain - compiled).max() <= 1 and (plain != compiled).mean() < 0.01


@pytest.mark.parametrize(
    "microbatch, precision",
    [(4, "mixed_bfloat16"), pytest.param(None, "float32", marks=pytest.mark.slow)],
)
def test_the_step_gives_the_tower_the_images_of_its_number(monkeypatch, microbatch, precision):
    seen = tf.Variable(tf.zeros_like(IMAGES))

    def looking(embed):
        def looked_at(tower, images, *more):
            seen.assign(images)
            return embed(tower, images, *more)

        return looked_at

    for name in ("embed_whole", "embed_in_microbatches"):
        monkeypatch.setattr(step_module, name, looking(getattr(step_module, name)))
    _, _, step = make_with_optimizer(
        augment=STRONG_IN_GREY, microbatch=microbatch, precision=precision
    )
    step(0)
    np.testing.assert_array_equal(seen, augment(STRONG_IN_GREY, IMAGES))
    step(7)
    np.testing.assert_array_equal(seen, augment(STRONG_IN_GREY, IMAGES, step=7))
