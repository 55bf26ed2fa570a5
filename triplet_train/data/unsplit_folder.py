"""A folder or table of any images, to embed them."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from triplet_train.config import DataConfig
from triplet_train.data.decoding import WHITE, Colour, Decode, make_decode, reader, sizes
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
    """Return the images of a folder or of a table; see `unsplit_folder` and `unsplit_table`."""
    is_table = place.suffix.lower() in TABLES and not place.is_dir()
    read = unsplit_table if is_table else unsplit_folder
    return read(place, image_shape, policy, background, strict=strict, data=data)


def root_of(place: Path, data: DataConfig | None) -> Path:
    """Return the folder that the paths of the images start from.

    It is data.root for the table of the run itself, and the folder of any other table.
    """
    if place.is_dir():
        return place
    if data and data.root and data.path and Path(data.path).resolve() == place.resolve():
        return Path(data.root)
    return place.parent


def unsplit_folder(
    folder: Path,
    image_shape: Shape,
    policy: str,
    background: Colour = WHITE,
    *,
    strict: bool = False,
    data: DataConfig | None = None,
) -> ImageTable:
    """Return the table of the images in a folder and its subfolders, in the order of their paths.

    The class of an image is the path of its subfolder, or what data.label_pattern says; an image in
    `folder` itself has no label. See `find_images` for the files that are taken, and `numbered` for
    the labels.

    Args:
        image_shape, policy, background: see `make_decode`.
        strict: raise at the first image that cannot be read, instead of listing it in `unreadable`.
        data: its label_pattern and junk_labels are used.

    Raises:
        RequestError: no such folder, no images in it, or a wrong number of channels.
    """
    if not folder.is_dir():
        raise RequestError(f"--images {folder}: no such folder")
    decode = make_decode(image_shape, policy, background)
    found = find_images(folder)
    if not found.images:
        raise RequestError(f"--images {folder}: no files that end in {', '.join(SUFFIXES)}")
    files = Files(found.images, list(map(labelling(data), found.images)))
    table = _table(folder, folder, files, image_shape, decode, data, strict)
    return replace(table, notes=(*table.notes, *notes_on_ignored_files(found, folder)))


def unsplit_table(
    file: Path,
    image_shape: Shape,
    policy: str,
    background: Colour = WHITE,
    *,
    strict: bool = False,
    data: DataConfig | None = None,
) -> ImageTable:
    """Return the images that a table names, in the order of their paths.

    Their paths start from `root_of`. An image without a label has the label -1.

    Args:
        image_shape, policy, background, strict: see `unsplit_folder`.
        data: its columns, label_pattern and junk_labels are used.

    Raises:
        RequestError: see `read_listing`; no images, or a wrong number of channels.
    """
    decode = make_decode(image_shape, policy, background)
    root = str(root_of(file, data))
    data = (data or DataConfig(dataset="table", path=str(file))).model_copy(update={"root": root})
    listing = read_listing(file, data, key="--images", labelled=False)
    labels = dict(zip(listing.paths, listing.labels, strict=True))  # a path once
    if not labels:
        raise RequestError(f"--images {file}: the table names no image")
    files = Files(list(labels), list(labels.values()))
    return _table(file, listing.root, files, image_shape, decode, data, strict)


def _table(
    place: Path,
    root: Path,
    files: Files,
    image_shape: Shape,
    decode: Decode,
    data: DataConfig | None,
    strict: bool,
) -> ImageTable:
    notes = ignored(files.classes, data, place) if data else []
    kept = [n for n, name in enumerate(files.classes) if not data or name not in data.junk_labels]
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
        tuple(notes),
        unreadable=None if strict else [],
    )
