"""Boxes and roles of the rows of a table, from its columns."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from triplet_train.data.boxes import Boxes
from triplet_train.data.columns import BOTH, GALLERY, QUERY, ROLES
from triplet_train.data.table_file import TableFile
from triplet_train.registry import either

Texts = dict[str, pa.Array]
TRUTH = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False, "": False}


def read_boxes(file: TableFile, names: Sequence[str], texts: Texts) -> Boxes | None:
    """Return the box of each row; None: no row has one.

    All numbers of a table between 0 and 1 are fractions of the image, and otherwise pixels.

    Args:
        names: of the columns with left, top, right and bottom.
        texts: N strings for each of them; all four are empty where the whole image is meant.

    Raises:
        RequestError: a box has not four numbers or no area, begins outside its image, or is in
            fractions while others are in pixels.
    """
    corners = np.column_stack([_numbers(file, name, texts[name]) for name in names])
    empty = np.isnan(corners)
    if empty.all():
        return None
    columns = dict(zip(names, corners.T, strict=True))
    for name, values in columns.items():
        file.refuse(name, "nothing, but other corners of a box,", np.isnan(values) & ~empty.all(1))
        file.refuse(name, "a negative number", values < 0)
    for first, last in ((names[0], names[2]), (names[1], names[3])):
        file.refuse(
            last,
            f"no larger number than {first!r}, so the box is empty,",
            columns[last] <= columns[first],
        )
    in_pixels = bool(np.nanmax(corners) > 1)
    if in_pixels:
        fractions = np.asarray((corners[:, 2:] <= 1).all(1))
        if fractions.any():
            largest = int(np.nanargmax(corners) // 4)
            (line,) = file.lines([largest])
            what = f"a fraction, while {line} has pixels ({corners[largest].max():g}),"
            file.refuse(names[2], what, fractions)
    return Boxes(corners, in_pixels)


def read_roles(file: TableFile, names: Sequence[str], texts: Texts) -> np.ndarray:
    """Return the role of each row, object [N]; `both` where the table has nothing.

    Args:
        names: of the column with the role; or of two columns, true for a query, and true for an
            image of the gallery.

    Raises:
        RequestError: an unknown role or truth value, or neither query nor gallery.
    """
    if len(names) == 1:
        return mapped(
            file,
            names[0],
            texts,
            {role: role for role in ROLES} | {"": BOTH},
            f"other words than {either(ROLES)}",
        )
    queries, galleries = (
        mapped(file, name, texts, TRUTH, "neither true nor false").astype(bool) for name in names
    )
    given = [pc.not_equal(texts[name], "").to_numpy(zero_copy_only=False) for name in names]
    neither = ~(queries | galleries) & np.logical_or(*given)
    file.refuse(names[1], f"false as in {names[0]!r}, so no role,", neither)
    roles: np.ndarray = np.array([BOTH, QUERY, GALLERY], object)[
        np.select([queries == galleries, queries], [0, 1], 2)
    ]
    return roles


def mapped(
    file: TableFile, name: str, texts: Texts, meanings: Mapping[str, object], wrong: str
) -> np.ndarray:
    """Return the meanings of the words in a column, object [N].

    Args:
        meanings: of words in lower case.
        wrong: what other words are, in words for the user.

    Raises:
        RequestError: a row has another word.
    """
    encoded = pc.utf8_lower(pc.utf8_trim_whitespace(texts[name])).dictionary_encode()
    words = encoded.dictionary.to_pylist()
    codes = encoded.indices.to_numpy()
    unknown = [word not in meanings for word in words]
    if any(unknown):
        shown = repr(words[unknown.index(True)])
        file.refuse(name, f"{wrong}, such as {shown},", np.array(unknown)[codes])
    values: np.ndarray = np.array([meanings[word] for word in words], object)[codes]
    return values


def _numbers(file: TableFile, name: str, texts: pa.Array) -> np.ndarray:
    """Return texts as numbers, float64 [N]; NaN for an empty one."""
    trimmed = pc.utf8_trim_whitespace(texts)
    given = pc.if_else(pc.equal(trimmed, ""), "nan", trimmed)
    try:
        numbers = given.cast(pa.float64())
    except pa.ArrowInvalid:
        file.refuse(name, "no number", np.array([not _is_number(t) for t in given.to_pylist()]))
        raise
    values: np.ndarray = numbers.to_numpy(zero_copy_only=False)
    file.refuse(name, "no number", np.isinf(values))
    return values


def _is_number(text: str) -> bool:
    try:
        pa.scalar(text).cast(pa.float64())
    except pa.ArrowInvalid:
        return False
    return True
