"""Plots of an evaluation, and the page that shows them."""

import os
from pathlib import Path

from triplet_train.errors import RequestError


def refuse_plots(folder: Path, *, overwrite: bool) -> None:
    """Raise RequestError if a folder of plots cannot be made, or may not be replaced."""
    if os.path.lexists(folder) and not folder.is_dir():
        raise RequestError(
            f"{folder} is a file; the plots of the page need a folder of this name. Choose another "
            "name for the page"
        )
    if folder.is_dir() and not overwrite:
        raise RequestError(f"{folder} exists; give --overwrite to replace it")
    if folder.is_dir() and any(path.suffix != ".png" for path in folder.iterdir()):
        raise RequestError(
            f"{folder} contains other files than plots, so --overwrite does not replace it; choose "
            "another name for the page"
        )
