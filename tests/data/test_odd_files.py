"""Image files as people have them: transparent, of 16 bits, turned, large."""

import numpy as np
import pytest
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from tests.helpers.made_sets import picture
from triplet_train.config import DataConfig
from triplet_train.data.decoding import make_decode
from triplet_train.data.image_files import SUFFIXES
from triplet_train.data.source import open_source
from triplet_train.data.summary import summary
from triplet_train.data.unsplit_folder import unsplit_images

DISC = np.hypot(*np.mgrid[-10:10, -10:10]) < 7


def cut_out(hidden):
    """A product of one look, cut out of a photograph whose other pixels are `hidden`."""
    colours = np.where(DISC[..., None], picture(0, 20, 20), hidden)
    return np.dstack([colours, np.where(DISC, 255, 0)]).astype(np.uint8)


@pytest.mark.parametrize("suffix", ["png", "webp", "tiff"])
@pytest.mark.parametrize("shape", [(20, 20, 3), (12, 16, 3), (20, 20, 1)])
def test_cut_outs_of_one_product_come_out_alike(tmp_path, suffix, shape):
    for name, hidden in (("dark", 0), ("noisy", picture(1, 20, 20))):
        Image.fromarray(cut_out(hidden)).save(tmp_path / f"{name}.{suffix}", lossless=True)
    decode = make_decode(shape, "resize", (200, 100, 50))
    dark, noisy = (decode(tmp_path / f"{name}.{suffix}") for name in ("dark", "noisy"))
    np.testing.assert_array_equal(dark, noisy)
    corner = (200, 100, 50) if shape[2] == 3 else round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)
    np.testing.assert_array_equal(dark[0, 0], corner)


def test_half_transparent_pixels_are_mixed_and_opaque_ones_kept(tmp_path):
    colours = picture(0, 1, 3)
    alpha = np.array([[0, 128, 255]], np.uint8)
    Image.fromarray(np.dstack([colours, alpha])).save(tmp_path / "x.png")
    image = make_decode((1, 3, 3), "pad")(tmp_path / "x.png")
    weight = alpha[..., None] / 255
    np.testing.assert_allclose(image, colours * weight + 255 * (1 - weight), atol=1)
    np.testing.assert_array_equal(image[0, 2], colours[0, 2])
    np.testing.assert_array_equal(
        make_decode((1, 3, 4), "pad")(tmp_path / "x.png"), np.dstack([colours, alpha])
    )


@pytest.mark.parametrize("mode", ["P", "L", "RGB", "LA", "1"])
def test_one_transparent_colour_and_grey_with_alpha_show_the_background(tmp_path, mode):
    black = Image.new(mode, (4, 4))
    options = {} if mode == "LA" else {"transparency": (0, 0, 0) if mode == "RGB" else 0}
    black.save(tmp_path / "x.png", **options)
    for background in ((255, 255, 255), (1, 2, 3)):
        image = make_decode((4, 4, 3), "pad", background)(tmp_path / "x.png")
        assert (image == background).all()


def test_the_background_is_white_unless_a_run_gives_another(tmp_path):
    (tmp_path / "train/a").mkdir(parents=True)
    Image.fromarray(cut_out(0)).save(tmp_path / "train/a/x.png")
    data = {"dataset": "image_folder", "path": str(tmp_path), "image_size": (20, 20)}
    for keys, level in (({}, 255), ({"background": "black"}, 0), ({"background": 7}, 7)):
        table = open_source(DataConfig(**data, **keys, eval_split="train")).table("train")
        assert (table.read(np.array([0]))[0, 0, 0] == level).all()
        assert any(
            "1 images have transparency" in line
            for line in summary(table, DataConfig(**data), True)
        )
    assert (unsplit_images(tmp_path, (20, 20, 3), "pad").read(np.array([0]))[0, 0, 0] == 255).all()


@pytest.mark.parametrize("suffix", ["png", "tiff"])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_sixteen_bits_keep_the_levels_that_they_use(tmp_path, bits, suffix):
    levels = np.linspace(0, 2**bits - 1, 4096).round().astype(np.uint16).reshape(64, 64)
    (tmp_path / "a").mkdir()
    Image.fromarray(levels).save(tmp_path / f"a/x.{suffix}")
    table = unsplit_images(tmp_path, (64, 64, 1), "pad")
    (image,) = table.read(np.array([0]))[..., 0]
    assert np.unique(image).tolist() == list(range(256))
    assert (np.diff(image.ravel().astype(int)) >= 0).all()
    said = "\n".join(
        summary(unsplit_images(tmp_path, (64, 64, 1), "pad"), DataConfig(dataset="x"), True)
    )
    assert "1 images have more than 8 bits" in said


def test_levels_without_a_known_range_are_refused_by_name(tmp_path):
    Image.fromarray(np.ones((8, 8), np.float32)).save(tmp_path / "x.tiff")
    table = unsplit_images(tmp_path, (8, 8, 1), "pad")
    assert not sum(map(len, table.batches(1)))
    assert "x.tiff: its levels are floating-point numbers" in table.unreadable[0]


@pytest.mark.parametrize("levels", [np.zeros, np.ones])
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (8, 8)])
def test_a_black_image_and_one_of_a_pixel_are_images(tmp_path, levels, size):
    Image.fromarray((levels(size) * 255).astype(np.uint8)).save(tmp_path / "x.png")
    image = make_decode((8, 8, 1), "resize")(tmp_path / "x.png")
    assert (image == levels(1) * 255).all()


@pytest.mark.parametrize("policy", ["pad", "crop", "resize"])
def test_large_photographs_are_decoded_at_a_fraction_of_their_size(tmp_path, policy, monkeypatch):
    colours = Image.fromarray(picture(0, 30, 40)).resize((1600, 1200), Image.Resampling.BICUBIC)
    noise = np.random.default_rng(0).normal(0, 12, (1200, 1600, 3))
    photo = Image.fromarray(np.clip(np.asarray(colours) + noise, 0, 255).astype(np.uint8))
    photo.save(tmp_path / "x.jpg", quality=90)
    decode, decoded = make_decode((64, 64, 3), policy), []
    convert = Image.Image.convert
    monkeypatch.setattr(
        Image.Image, "convert", lambda i, *a: (decoded.append(i.size), convert(i, *a))[1]
    )
    small = decode(tmp_path / "x.jpg").astype(int)
    monkeypatch.setattr(JpegImageFile, "draft", lambda *_: None)
    whole = decode(tmp_path / "x.jpg").astype(int)
    assert decoded == [(400, 300), (1600, 1200)]
    assert abs(small - whole).max() <= 2


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_suffix_is_found_and_its_format_decoded(tmp_path, suffix):
    smooth = np.add.outer(np.arange(32), np.arange(40)).astype(np.uint8) * 3
    mode = "1" if suffix == ".pbm" else "L" if suffix == ".pgm" else "RGB"
    picture = Image.fromarray(smooth).convert(mode)
    picture.save(tmp_path / f"x{suffix.upper()}")
    (image,) = unsplit_images(tmp_path, (32, 40, 1), "pad").read(np.array([0]))[..., 0]
    np.testing.assert_allclose(image, picture.convert("L"), atol=4)
