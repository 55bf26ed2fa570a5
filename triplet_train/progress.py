"""The progress bar of everything that goes through images and takes more than a moment."""

from typing import NoReturn

from tqdm import tqdm


def progress_bar(images: int, what: str, quiet: bool) -> "tqdm[NoReturn]":
    """A bar that shows itself after a second, on a terminal only, and vanishes when done."""
    return tqdm(
        total=images,
        desc=what,
        unit=" images",
        delay=1,
        leave=False,
        disable=True if quiet else None,
    )
