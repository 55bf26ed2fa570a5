"""Plain JPEGs are decoded without Pillow, to the pixels that Pillow gives."""

import io

import numpy as np
import pytest
from PIL import ExifTags, Image

from tests.helpers.made_sets import picture
from triplet_train.data import conversion
from triplet_train.data.boxes import Box


def jpeg(height=37, width=50, mode="RGB", smooth=True, **options):
    small = Image.fromarray(picture(height, 6, 8) if smooth else picture(0, height, width))
    image, file = (
        small.resize((width, height), Image.Resampling.BICUBIC).convert(mode),
        io.BytesIO(),
    )
    image.save(file, "jpeg", **options)
    return file.getvalue()


def exif(orientation):
    data = Image.Exif()
    data[ExifTags.Base.Orientation] = orientation
    return data


XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
PLAIN = {
    "usual": jpeg(),
    "noise": jpeg(smooth=False, quality=95),
    "full colours": jpeg(subsampling=0),
    "half colours": jpeg(subsampling=1),
    "progressive": jpeg(progressive=True),
    "grey": jpeg(mode="L"),
    "a pixel": jpeg(1, 1),
    "a column": jpeg(33, 1),
    "restart markers": jpeg(restart_marker_blocks=2),
    "comment": jpeg(comment=b"made"),
    "of the size": jpeg(24, 32),
    "grey, of the size": jpeg(24, 32, "L"),
}
LEFT_TO_PILLOW = {
    "inks": jpeg(mode="CMYK"),
    "turned": jpeg(exif=exif(6)),
    "not turned": jpeg(exif=exif(1)),
    "turned by XMP": jpeg(xmp=XMP),
    "stored as RGB": jpeg(keep_rgb=True),
    "cut off": jpeg()[:-200],
    "without end": jpeg()[:-2],
    "spoilt": jpeg().replace(jpeg()[600:640], bytes(40)),
    "head": jpeg()[:100],
    "large": jpeg(256, 300),
}


def read(convert, encoded, box=None):
    try:
        return convert(encoded, box)
    except conversion.UNREADABLE as error:
        return str(error)


@pytest.mark.parametrize("shape", [(24, 32, 3), (24, 32, 1), (24, 32, 4), (32, 20, 3)])
def test_plain_jpegs_have_the_pixels_that_pillow_gives(shape, monkeypatch):
    decode, convert = conversion.simplejpeg.decode_jpeg, conversion.make_convert(shape, "pad")
    decoded = []
    monkeypatch.setattr(
        conversion.simplejpeg, "decode_jpeg", lambda *a: (decoded.append(a[0]), decode(*a))[1]
    )
    every, box = PLAIN | LEFT_TO_PILLOW, Box((0, 0.1, 1, 0.9), False)
    fast = {name: [read(convert, file), read(convert, file, box)] for name, file in every.items()}
    assert set(PLAIN.values()) <= set(decoded)
    assert not {LEFT_TO_PILLOW[name] for name in ("inks", "turned", "large")} & set(decoded)
    monkeypatch.setattr(conversion, "_plain_jpeg", lambda *_: None)
    for name, file in every.items():
        for one, other in zip(
            fast[name], (read(convert, file), read(convert, file, box)), strict=True
        ):
            np.testing.assert_array_equal(one, other, err_msg=name)


def test_a_jpeg_of_too_many_pixels_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    monkeypatch.setattr(conversion, "_LARGE", 100)
    with pytest.raises(Image.DecompressionBombError):
        conversion.make_convert((24, 32, 3), "pad")(jpeg())


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff", b"no image", b"\x89PNG\r\n\x1a\n"])
def test_bytes_that_are_no_image_are_refused_in_words(content):
    reason = read(conversion.make_convert((24, 32, 3), "pad"), content)
    assert reason == "not an image of a known format"
