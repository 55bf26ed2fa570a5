import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.augmented import STRONG, augment, changed, noise
from tests.training.test_step import IMAGES, make_with_optimizer
from triplet_train.config import AugmentConfig
from triplet_train.training import step as step_module
from triplet_train.training.augmentation import make_augmentation
from triplet_train.training.randomness import step_key


@pytest.mark.parametrize("shape", [(3, 7, 5, 1), (2, 1, 6, 3), (2, 6, 1, 4), (1, 1, 1, 1)])
def test_draws_in_the_middle_of_their_ranges_change_nothing(shape):
    images = noise(*shape)
    np.testing.assert_array_equal(changed(STRONG, images), images)


@pytest.mark.parametrize("replicas", [2, 3, 5])
def test_an_image_of_a_share_is_bit_for_bit_that_of_the_whole_batch(replicas):
    images = 255 * (noise(45, 64, 64, 3) // 128)  # steep, to show the last bit of a coordinate
    whole = augment(STRONG, images)
    for replica in range(replicas):
        rows = np.arange(replica, 45, replicas)
        share = augment(STRONG, images[rows], rows=rows, total=45)
        np.testing.assert_array_equal(share, whole[rows])


def test_another_step_seed_or_position_gives_another_image():
    images = np.repeat(noise(1, 8, 8, 1), 20, axis=0)
    first = augment(STRONG, images)
    np.testing.assert_array_equal(first, augment(STRONG, images))
    for other in (augment(STRONG, images, step=1), augment(STRONG, images, seed=1)):
        assert (first != other).any(axis=(1, 2, 3)).all()
    assert len({image.tobytes() for image in first}) == 20


def test_no_option_changes_what_another_does():
    images = np.zeros((30, 8, 8, 1), np.uint8)
    alone = augment(AugmentConfig(erase=0.5), images)
    both = augment(AugmentConfig(erase=0.5, rotate=90.0, flip="both", shift=0.3), images)
    np.testing.assert_array_equal(alone, both)


@pytest.mark.parametrize("option", AugmentConfig.model_fields)
def test_every_option_changes_images_by_itself(option):
    images = noise(20, 8, 8, 1)
    value = "both" if option == "flip" else 0.5 if option != "rotate" else 30.0
    seen = augment(AugmentConfig(**{option: value}), images)
    assert (seen != images).any(axis=(1, 2, 3)).mean() > 0.5


def test_with_nothing_switched_on_the_step_has_nothing_to_do():
    assert make_augmentation(AugmentConfig()) is None


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
    _, _, step = make_with_optimizer(augment=STRONG, microbatch=microbatch, precision=precision)
    step(0)
    np.testing.assert_array_equal(seen, augment(STRONG, IMAGES))
    step(7)
    np.testing.assert_array_equal(seen, augment(STRONG, IMAGES, step=7))
