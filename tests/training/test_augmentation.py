import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.training.test_step import IMAGES, make_with_optimizer
from triplet_train.config import AugmentConfig
from triplet_train.training import step as step_module
from triplet_train.training.augmentation import Draws, augmented, make_augmentation
from triplet_train.training.randomness import step_key

RANDOM = np.random.default_rng(0)
STRONG = AugmentConfig(
    rotate=180.0,
    shift=0.5,
    zoom=0.5,
    shear=0.9,
    flip="both",
    brightness=0.4,
    contrast=0.9,
    erase=0.5,
)
draw = st.floats(0, 1, exclude_max=True, width=32)


def noise(*shape):
    return RANDOM.integers(0, 256, shape, np.uint8)


def changed(config, images, **draws):
    """Images under the given draws, each in the middle of its range where it is not given, and
    nothing erased."""
    neutral = dict.fromkeys(Draws._fields, 0.5) | {"erase": 0.0}
    columns = [
        tf.fill([len(images)], np.float32(value)) for value in ({**neutral, **draws}).values()
    ]
    rows = tf.range(len(images))
    return augmented(config, tf.constant(images), Draws(*columns), rows).numpy()


def augment(config, images, step=0, seed=0, rows=None, total=None):
    rows = np.arange(len(images)) if rows is None else rows
    key = step_key(seed, tf.constant(step))
    total = total or len(images)
    return make_augmentation(config)(tf.constant(images), key, tf.constant(rows), total).numpy()


def warped_by_loops(config, image, draws):
    """Float64 [H, W, C]: every pixel read where the inverse of the product of matrices sends it."""
    height, width, _ = image.shape
    way = {name: 2.0 * value - 1 for name, value in draws.items()}
    angle = math.radians(config.rotate * way["rotate"])
    flip_x = config.flip in ("horizontal", "both") and draws["flip_x"] < 0.5
    flip_y = config.flip in ("vertical", "both") and draws["flip_y"] < 0.5
    rotation = [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]
    zoom = np.eye(2) * (1 + config.zoom * way["zoom"])
    shear = [[1, config.shear * way["shear"]], [0, 1]]
    flip = np.diag([-1 if flip_x else 1, -1 if flip_y else 1])
    back = np.linalg.inv(np.array(rotation) @ zoom @ shear @ flip)
    shift = config.shift * np.array([width * way["shift_x"], height * way["shift_y"]])
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    result = np.empty(image.shape)
    for y in range(height):
        for x in range(width):
            place = back @ (np.array([x, y]) - centre - shift) + centre
            u, v = np.clip(place, 0, [width - 1, height - 1])
            left, top = int(u), int(v)
            right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
            above = image[top, left] * (1 - u + left) + image[top, right] * (u - left)
            below = image[bottom, left] * (1 - u + left) + image[bottom, right] * (u - left)
            result[y, x] = above * (1 - v + top) + below * (v - top)
    return result


GEOMETRY = ["rotate", "shift_x", "shift_y", "zoom", "shear", "flip_x", "flip_y"]


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 6),
    st.integers(1, 6),
    st.sampled_from([1, 3, 4]),
    st.fixed_dictionaries({name: draw for name in GEOMETRY}),
    st.sampled_from([None, "horizontal", "vertical", "both"]),
)
def test_one_warp_is_the_product_of_its_parts(height, width, channels, draws, flip):
    config = AugmentConfig(rotate=180.0, shift=0.5, zoom=0.5, shear=0.9, flip=flip)
    image = noise(height, width, channels)
    got = changed(config, image[np.newaxis], **draws)[0]
    expected = warped_by_loops(config, image, draws)
    assert got.dtype == np.uint8
    assert np.abs(got - expected).max() < 0.51  # half a level of rounding


@pytest.mark.parametrize("shape", [(3, 7, 5, 1), (2, 1, 6, 3), (2, 6, 1, 4), (1, 1, 1, 1)])
def test_draws_in_the_middle_of_their_ranges_change_nothing(shape):
    images = noise(*shape)
    np.testing.assert_array_equal(changed(STRONG, images), images)


@pytest.mark.parametrize("shape", [(2, 4, 6, 1), (2, 5, 7, 3), (2, 1, 4, 4)])
@pytest.mark.parametrize(
    "flip, axes", [("horizontal", [2]), ("vertical", [1]), ("both", [1, 2]), (None, [])]
)
def test_flips_are_exact(shape, flip, axes):
    images = noise(*shape)
    got = changed(AugmentConfig(flip=flip, rotate=10.0), images, flip_x=0.2, flip_y=0.2)
    np.testing.assert_array_equal(got, np.flip(images, axes))


@pytest.mark.parametrize("drawn, quarters", [(0.75, 1), (0.25, -1), (0.0, 2)])
def test_a_quarter_turn_is_that_of_numpy(drawn, quarters):
    images = noise(2, 6, 6, 3)
    got = changed(AugmentConfig(rotate=180.0), images, rotate=drawn)
    np.testing.assert_array_equal(got, np.rot90(images, quarters, axes=(1, 2)))


def test_pixels_from_outside_continue_the_edge():
    images = noise(2, 8, 4, 1)
    got = changed(AugmentConfig(shift=0.5), images, shift_y=0.75, shift_x=0.25)  # 2 down, 1 left
    beyond = np.pad(images, ((0, 0), (2, 0), (0, 1), (0, 0)), "edge")
    np.testing.assert_array_equal(got, beyond[:, :8, 1:])


@settings(max_examples=30, deadline=None)
@given(draw, draw)
def test_contrast_stretches_about_middle_grey_and_brightness_adds(contrast, brightness):
    images = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    config = AugmentConfig(contrast=0.75, brightness=0.5)
    got = changed(config, images, contrast=contrast, brightness=brightness)
    factor = 1 + 0.75 * (2 * contrast - 1)
    expected = 127.5 + (images - 127.5) * factor + 255 * 0.5 * (2 * brightness - 1)
    assert np.abs(got - np.clip(expected, 0, 255)).max() < 0.51


@settings(max_examples=50, deadline=None)
@example(1, 9, 0.99, 0.999, 0.5, 0.0, 0.0, 0.5)
@example(8, 8, 0.25, 0.0, 0.5, 0.0, 0.0, 0.5)
@given(st.integers(1, 9), st.integers(1, 9), st.floats(0.01, 0.99), *[draw] * 5)
def test_the_erased_part_is_a_rectangle_of_the_drawn_area_and_of_one_level(
    height, width, erase, share, aspect, left, top, level
):
    black_and_white = np.stack([np.zeros((height, width, 3)), np.full((height, width, 3), 255)])
    got = changed(
        AugmentConfig(erase=erase),
        black_and_white.astype(np.uint8),
        erase=share,
        erase_aspect=aspect,
        erase_left=left,
        erase_top=top,
        erase_level=level,
    )
    hidden = (got[0] == got[1]).all(axis=-1)  # seen in neither
    ys, xs = np.nonzero(hidden)
    assert (got[:, hidden] == int(level * 256)).all()
    area = erase * share * height * width
    assert hidden.sum() <= area + 1e-3
    if hidden.any():
        tall, wide = np.ptp(ys) + 1, np.ptp(xs) + 1
        assert hidden.sum() == tall * wide
        assert wide == width or hidden.sum() > area - tall - 1e-3
    else:
        assert area < max(1.0, round(math.sqrt(area / 0.3))) + 1e-3


def test_rectangles_lie_everywhere_and_reach_every_edge():
    images = np.zeros((500, 6, 7, 1), np.uint8)
    hidden = augment(AugmentConfig(erase=0.2), images) > 0
    times = hidden.sum(axis=0)[..., 0]
    assert times.min() > 5 and hidden.mean() == pytest.approx(0.1, abs=0.04)


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
