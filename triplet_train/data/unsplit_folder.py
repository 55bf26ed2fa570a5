"""A folder or table of any images, to embed them."""

import os
from pathlib import Path

import numpy as np

from triplet_train.config import DataConfig
from triplet_train.data.conversion import WHITE, Colour
from triplet_train.data.decoding import make_decode, reader, sizes
from triplet_train.data.image_files import SUFFIXES, find_images, notes_on_ignored_files, numbered
from triplet_train.data.images import ImageTable, Shape
from triplet_train.data.labelling import grouping, labelling, of_special_labels
from triplet_train.data.listing import Listing
from triplet_train.data.table_file import SUFFIXES as TABLES
from triplet_train.data.table_listing import TableListing
from triplet_train.data.table_reading import read_listing
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
    an image in the folder itself has no label. An image without a label and a distractor have the
    label -1. See `find_images` for the files that are taken, `numbered` for the labels, `root_of`
    for the paths of a table, and `Listing` for its ids and columns.

    Args:
        image_shape, policy, background: see `make_decode`.
        strict: raise at the first image that cannot be read, instead of listing it in `unreadable`.
        data: its columns, label_pattern, junk_labels and distractor_labels are used.

    Raises:
        RequestError: no such folder or table, no images in it, or a wrong number of channels; see
            also `read_listing`.
    """
    is_table = place.suffix.lower() in TABLES and not place.is_dir()
    if not is_table and not place.is_dir():
        raise RequestError(f"--images {place}: no such folder")
    decode = make_decode(image_shape, policy, background)
    data = data or DataConfig(dataset="table", path=str(place))
    listing = _of_table(place, data) if is_table else _of_folder(place, data)
    root = root_of(place, data)
    chosen = [n for n, label in enumerate(listing.labels) if label not in data.junk_labels]
    places = np.array(listing.once(chosen), np.int64)
    labels = [listing.labels[at] for at in places.tolist()]
    special = np.array([label in data.distractor_labels for label in labels], bool)
    names = np.where(special, "", np.array(labels, object)).tolist()
    numbers = numbered(set(names) - {""}) | {"": -1}
    paths, boxes = listing.paths_at(places), listing.boxes_at(places)
    table = ImageTable(
        str(place.absolute()),
        "",
        image_shape,
        np.array([numbers[name] for name in names], np.int64),
        listing.ids_at(places),
        {number: name for name, number in numbers.items()},
        reader(root, paths, decode, image_shape, boxes),
        sizes(root, paths, boxes),
        (*of_special_labels(listing.labels, data, place), *listing.notes),
        unreadable=None if strict else [],
        columns=listing.columns_at(places, special),
        path_of=lambda row: os.path.join(root, paths[row]),
    )
    return listing.located(table, places) if isinstance(listing, TableListing) else table


def root_of(place: Path, data: DataConfig | None) -> Path:
    """Return the folder that the paths of the images start from.

    It is data.root for the table of the run itself, and the folder of any other table.
    """
    if place.is_dir():
        return place
    if data and data.root and data.path and Path(data.path).resolve() == place.resolve():
        return Path(data.root)
    return place.parent


def _of_folder(folder: Path, data: DataConfig) -> Listing:
    """Return the images of a folder, with notes about files that are ignored."""
    found = find_images(folder)
    if not found.images:
        raise RequestError(f"--images {folder}: no files that end in {', '.join(SUFFIXES)}")
    group_of = grouping(data)
    return Listing(
        ids=found.images,
        paths=found.images,
        labels=list(map(labelling(data), found.images)),
        groups=list(map(group_of, found.images)) if group_of else None,
        notes=notes_on_ignored_files(found, folder),
    )


def _of_table(file: Path, data: DataConfig) -> TableListing:
    """Return the images of a table."""
    listing = read_listing(file, data, key="--images", labelled=False)
    if not listing.ids:
        raise RequestError(f"--images {file}: the table names no image")
    return listing
