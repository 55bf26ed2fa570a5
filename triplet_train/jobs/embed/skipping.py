"""Images that an embedding file does not have yet."""

from pathlib import Path

import numpy as np

from triplet_train.console import Console
from triplet_train.data.columns import CONTENT
from triplet_train.data.contents import digests
from triplet_train.data.images import ImageTable
from triplet_train.embeddings.files import read_batches
from triplet_train.embeddings.origin import Origin, origin_of, require_one_store


def not_stored(
    images: ImageTable, store: Path, tower: Path, origin: Origin, console: Console
) -> np.ndarray:
    """Return the rows of images, int64 [n], that are not in a file of embeddings, and say so.

    An image is in it if a row has its id, its class and its content. Rows without a digest of the
    content are compared by id and class. Memory is that of the ids of `images`.

    Args:
        images: from files.
        store: the file.
        tower: the file of the tower that shall embed them.
        origin: of its vectors.

    Raises:
        RequestError: the rows of the file cannot be compared with vectors of the tower.
    """
    place = {id_: row for row, id_ in enumerate(images.ids)}
    classes = [images.class_names[label] for label in images.labels.tolist()]
    found: set[int] = set()
    contents: dict[int, str | None] = {}  # of rows that have their class in the store
    gone = 0
    for table in read_batches(store):
        require_one_store({store: origin_of(table), tower: origin})
        column = table.columns.get(CONTENT)
        stored = [None] * len(table.ids) if column is None else column.to_pylist()
        for id_, name, content in zip(table.ids, table.label_names, stored, strict=True):
            row = place.get(id_)
            if row is None:
                gone += 1
            else:
                found.add(row)
                contents.pop(row, None)
                if name == classes[row]:
                    contents[row] = content
    known = [row for row, content in contents.items() if content is not None]
    now = digests(images, known, console)
    for row, digest in zip(known, now, strict=True):
        if digest != contents[row]:
            del contents[row]
    rows = np.setdiff1d(np.arange(len(images)), list(contents))
    _say(console, store, len(images), len(rows), len(found) - len(contents))
    without = sum(content is None for content in contents.values())
    if without:
        console.say(
            f"{without:,} rows of {store} have no digest of the content, which --content writes; "
            "these images are known by id and class alone"
        )
    if gone:
        console.say(f"{gone:,} rows of {store} are of images that are not in {images.name}")
    return rows


def _say(console: Console, store: Path, images: int, left: int, changed: int) -> None:
    line = f"{images - left:,} of {images:,} images are in {store}"
    if not left:
        console.say(f"{line}; nothing to embed")
    elif not changed:
        console.say(f"{line}; {left:,} to embed")
    else:
        console.say(f"{line}; {left:,} to embed, {changed:,} with another content or class")
