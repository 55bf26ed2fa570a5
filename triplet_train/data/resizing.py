"""Resizing of images to the size that a tower takes."""

from collections.abc import Callable, Sequence

from PIL import Image

Region = tuple[float, float, float, float]  # left, top, right, bottom


def moved(region: Sequence[float], right: float, down: float) -> Region:
    return region[0] + right, region[1] + down, region[2] + right, region[3] + down


def _stretch(image: Image.Image, size: tuple[int, int], region: Region) -> Image.Image:
    return image.resize(size, Image.Resampling.BILINEAR, region)


def _crop(image: Image.Image, size: tuple[int, int], region: Region) -> Image.Image:
    """Crop like `ImageOps.fit`."""
    left, top, right, bottom = region
    width = min(right - left, (bottom - top) * size[0] / size[1])
    height = min(bottom - top, (right - left) * size[1] / size[0])
    left, top = left + (right - left - width) / 2, top + (bottom - top - height) / 2
    return _stretch(image, size, (left, top, min(right, left + width), min(bottom, top + height)))


def _pad(image: Image.Image, size: tuple[int, int], region: Region) -> Image.Image:
    """Pad like `ImageOps.pad`, but keep at least a pixel of the short side of a very long image."""
    sides = region[2] - region[0], region[3] - region[1]
    scale = min(whole / part for whole, part in zip(size, sides, strict=True))
    width, height = (max(1, round(scale * side)) for side in sides)
    padded = Image.new(image.mode, size)
    corner = (size[0] - width) // 2, (size[1] - height) // 2
    padded.paste(_stretch(image, (width, height), region), corner)
    return padded


# Policy -> function: image, width and height, and the part that is shown -> image of that size.
RESIZE: dict[str, Callable[[Image.Image, tuple[int, int], Region], Image.Image]] = {
    "pad": _pad,  # keeps the aspect ratio and adds a black border
    "crop": _crop,  # keeps the aspect ratio and cuts off two opposite margins of equal width
    "resize": _stretch,  # changes the aspect ratio
}
