"""A folder or table of any images, to embed them."""

from pathlib import Path

import numpy as np

from triplet_train.config import DataConfig
from triplet_train.data.decoding import WHITE, Colour, make_decode, reader, sizes
from triplet_train.data.file_source import Files
from triplet_train.data.image_files import SUFFIXES, find_images, notes_on_ignored_files, numbered
from triplet_train.data.images import ImageTable, Shape
from triplet_train.data.labelling import ignored, labelling
from triplet_train.data.listing import read_listing
from triplet_train.data.table_file import SUFFIXES as TABLES
from triplet_train.errors import RequestError


def unsplit_images(
    place: Path,
    image_shape: Shape,
    policy: str,
    background: Colour = WHITE,
    *,
    strict: bool = False,
    data: DataConfig | None = None,
) -> ImageTable:
    """Return the images of a folder and its subfolders, or of a table, in the order of their paths.

    In a folder the class of an image is the path of its subfolder, or what data.label_pattern says;
    an image in the folder itself has no label. An image without a label has the label -1. See
    `find_images` for the files that are taken, `numbered` for the labels, and `root_of` for the
    paths of a table.

    Args:
        image_shape, policy, background: see `make_decode`.
        strict: raise at the first image that cannot be read, instead of listing it in `unreadable`.
        data: its columns, label_pattern and junk_labels are used.

    Raises:
        RequestError: no such folder or table, no images in it, or a wrong number of channels; see
            also `read_listing`.
    """
    is_table = place.suffix.lower() in TABLES and not place.is_dir()
    if not is_table and not place.is_dir():
        raise RequestError(f"--images {place}: no such folder")
    decode = make_decode(image_shape, policy, background)
    files, notes = (_of_table if is_table else _of_folder)(place, data)
    root = root_of(place, data)
    left_out = data.junk_labels if data else []
    kept = [n for n, name in enumerate(files.classes) if name not in left_out]
    paths, classes = ([some[n] for n in kept] for some in files)
    numbers = numbered(set(classes) - {""}) | {"": -1}
    return ImageTable(
        str(place.absolute()),
        "",
        image_shape,
        np.array([numbers[name] for name in classes], np.int64),
        paths,
        {number: name for name, number in numbers.items()},
        reader(root, paths, decode, image_shape),
        sizes(root, paths),
        (*(ignored(files.classes, data, place) if data else []), *notes),
        unreadable=None if strict else [],
    )


def root_of(place: Path, data: DataConfig | None) -> Path:
    """Return the folder that the paths of the images start from.

    It is data.root for the table of the run itself, and the folder of any other table.
    """
    if place.is_dir():
        return place
    if data and data.root and data.path and Path(data.path).resolve() == place.resolve():
        return Path(data.root)
    return place.parent


def _of_folder(folder: Path, data: DataConfig | None) -> tuple[Files, list[str]]:
    """Return the images of a folder, and lines about files that are ignored."""
    found = find_images(folder)
    if not found.images:
        raise RequestError(f"--images {folder}: no files that end in {', '.join(SUFFIXES)}")
    files = Files(found.images, list(map(labelling(data), found.images)))
    return files, notes_on_ignored_files(found, folder)


def _of_table(file: Path, data: DataConfig | None) -> tuple[Files, list[str]]:
    """Return the images of a table, each once."""
    data = data or DataConfig(dataset="table", path=str(file))
    listing = read_listing(file, data, key="--images", labelled=False)
    labels = dict(zip(listing.paths, listing.labels, strict=True))
    if not labels:
        raise RequestError(f"--images {file}: the table names no image")
    return Files(list(labels), list(labels.values())), []
