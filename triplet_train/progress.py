"""The progress bar of everything that goes through images and takes more than a moment."""

from tqdm import tqdm


def progress_bar(images: int, what: str, quiet: bool) -> tqdm:
    """A bar that shows itself after a second, on a terminal only, and vanishes when done."""
    return tqdm(
        total=images,
        desc=what,
        unit=" images",
        delay=1,
        leave=False,
        disable=True if quiet else None,
    )
