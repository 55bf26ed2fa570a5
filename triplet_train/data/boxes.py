"""Parts of images, given by the corners of boxes."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

Pixels = tuple[int, int, int, int]  # left, top, right, bottom


class Box(NamedTuple):
    """A part of an image that is upright, after its EXIF orientation is applied.

    Attributes:
        corners: left, top, right, bottom.
        in_pixels: in pixels of the image as it is stored, or else in fractions of its size.
    """

    corners: tuple[float, float, float, float]
    in_pixels: bool

    def within(self, width: int, height: int) -> Pixels:
        """Return the corners in an image of this size, rounded to pixels; at least a pixel is left.

        Raises:
            ValueError: the box lies outside, or has no area.
        """
        shown = ",".join(f"{corner:.10g}" for corner in self.corners)
        if not self.in_pixels:
            shown += " (fractions of the size)"
        left, top, right, bottom = self.corners
        if not (left < right and top < bottom):
            raise ValueError(f"box {shown} has no area; expected left, top, right, bottom")
        scale = (1, 1, 1, 1) if self.in_pixels else (width, height, width, height)
        left, top, right, bottom = np.rint(np.multiply(self.corners, scale)).tolist()
        if left < 0 or top < 0 or right > width or bottom > height:
            raise ValueError(f"box {shown} lies outside the image of {width} x {height}")
        left, top = min(int(left), width - 1), min(int(top), height - 1)
        return left, top, max(int(right), left + 1), max(int(bottom), top + 1)


@dataclass(frozen=True)
class Boxes:
    """A box for each of N images.

    Attributes:
        corners: float64 [N, 4], left, top, right and bottom; NaN where an image is shown whole.
        in_pixels: see `Box`.
    """

    corners: np.ndarray
    in_pixels: bool

    def of(self, row: int) -> Box | None:
        """Return the box of an image; None: it is shown whole."""
        corners = self.corners[row]
        return None if np.isnan(corners).all() else Box(tuple(corners.tolist()), self.in_pixels)
