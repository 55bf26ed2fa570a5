import numpy as np
import pytest

from triplet_train.report.preview import preview_sheet

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("height, width, times", [(8, 8, 8), (28, 20, 2), (1, 6, 10), (70, 70, 1)])
def test_every_pixel_of_a_small_image_is_a_square_in_its_place(height, width, times, channels):
    images = RANDOM.integers(0, 256, (6, height, width, channels), np.uint8)
    if channels == 4:
        images[..., 3] = 255
    page = np.asarray(preview_sheet(images, np.arange(2), {0: "cat", 1: "dog"}))
    tall, wide = height * times, width * times
    assert page.shape[0] == 2 * (tall + 2)
    left = page.shape[1] - 3 * (wide + 2)
    assert (page[:, :left] < 128).any()  # the titles
    for number, image in enumerate(images):
        y, x = number // 3 * (tall + 2), left + number % 3 * (wide + 2)
        expected = np.broadcast_to(image[..., :3], (height, width, 3))
        shown = page[y : y + tall, x : x + wide]
        np.testing.assert_array_equal(shown, expected.repeat(times, 0).repeat(times, 1))


@pytest.mark.parametrize(
    "lines, columns, side", [(25, 20, 224), (200, 2, 64), (2, 200, 64), (3, 2, 3000)]
)
def test_a_sheet_of_much_is_of_bounded_size_and_grey_stays_grey(lines, columns, side):
    images = np.broadcast_to(np.uint8(77), (lines * columns, side, side, 1))
    page = preview_sheet(images, np.zeros(lines, int), {0: "a name"})
    assert max(page.size) < 9000 and page.width * page.height < 20_000_000
    assert page.height > 1000 or page.width > 1000  # and still to be seen
    assert np.asarray(page)[1, -4].tolist() == [77, 77, 77]
