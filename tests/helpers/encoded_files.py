"""Image files of all kinds that a server may get."""

import numpy as np
from PIL import ExifTags, Image

_RANDOM = np.random.default_rng(0)


def blurred(width, height, channels=3):
    """A picture of soft blots, as photographs are more than noise is."""
    blots = (max(height // 9, 2), max(width // 9, 2), channels)
    few = Image.fromarray(_RANDOM.integers(0, 256, blots, np.uint8))
    return few.resize((width, height), Image.Resampling.BICUBIC)


def write_few(folder):
    """Turned, transparent, grey, narrow and large files in three formats."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    blurred(90, 40).save(folder / "turned.jpg", exif=exif)
    blurred(50, 40, 4).save(folder / "transparent.png")
    blurred(50, 40).convert("L").save(folder / "grey.jpg")
    blurred(9, 150).save(folder / "narrow.jpg")
    blurred(501, 777).save(folder / "large.jpg")  # decoded at a fraction of its size
    blurred(60, 50).save(folder / "lossy.webp")


def write_all(folder):
    """All orientations in all formats, and all kinds of colours."""
    write_few(folder)
    for turn in range(1, 9):
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = turn
        for suffix in ("jpg", "png", "webp"):
            blurred(701, 403).save(folder / f"turn{turn}.{suffix}", exif=exif)
    blurred(64, 50).save(folder / "progressive.jpg", progressive=True, subsampling=1)
    blurred(64, 50).convert("CMYK").save(folder / "print.jpg")
    blurred(64, 50, 4).save(folder / "transparent.webp", lossless=True)
    blurred(64, 50).convert("P").save(folder / "palette.png")
    blurred(64, 50).quantize(4).save(folder / "few_colours.png", bits=2)
    blurred(64, 50).quantize(16).save(folder / "one_transparent.png", transparency=3)
    blurred(64, 50).convert("1").save(folder / "bits.png")
    blurred(64, 50).convert("LA").save(folder / "grey_transparent.png")
    levels = np.asarray(blurred(64, 50).convert("L")).astype(np.uint16)
    for bits in (8, 12, 16):
        Image.fromarray(levels << (bits - 8)).save(folder / f"deep{bits}.png")
